/**
 * One process of the stress (stress.test.ts): argv = dist, root, seed, milliseconds, worker flag. Opens a volume and, at random, moves
 * views away, lets native work run in views that are closed meanwhile, drops views, ends and terminates workers.
 * It checks what it reads: a view is the file's pattern, a moved one the pattern or zeroes, never anything else.
 */
import crypto from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import zlib from 'node:zlib';

const { dist, root, seed, forMs } = isMainThread
  ? {
      dist: process.argv[2],
      root: process.argv[3],
      seed: Number(process.argv[4]),
      forMs: Number(process.argv[5]),
    }
  : workerData;
const { mountFamfs, openMachine } = await import(dist);

let state = seed >>> 0 || 1;
/** xorshift32: the seed tells the run. */
function random(below) {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % below;
}

const machine = openMachine(root);
const volume = mountFamfs(machine.device('dax0.0'));
const names = volume.readdir('/').filter((name) => name.startsWith('f'));
const counts = {};
const pending = new Set();
/** Native work that may end in any way: what it must not do is end the process. */
function goesOn(promise) {
  const settled = promise.catch(() => {}).then(() => pending.delete(settled));
  pending.add(settled);
}

function check(bytes, name, zeroesToo) {
  const wanted = Number(name.slice(1)) + 1;
  for (let at = 0; at < bytes.length; at += 4096) {
    if (bytes[at] === wanted || (zeroesToo && bytes[at] === 0)) continue;
    throw new Error(`seed ${seed}: byte ${at} of ${name} is ${bytes[at]}, not ${wanted}`);
  }
}

/** A socket whose peer reads now and then: writes stay under way in the kernel's hands. */
const server = net.createServer((peer) => {
  peer
    .on('error', () => {})
    .on('data', () => {
      peer.pause();
      setTimeout(() => peer.resume(), 5);
    });
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const sink = net.connect(server.address().port, '127.0.0.1').on('error', () => {});
await new Promise((done) => sink.once('connect', done));

const movers = [
  (view) => {
    let controller;
    const stream = new ReadableStream({
      type: 'bytes',
      start(made) {
        controller = made;
      },
    });
    controller.enqueue(view);
    return stream
      .getReader()
      .read()
      .then(({ value }) => value);
  },
  (view) => {
    let controller;
    const stream = new ReadableStream({
      type: 'bytes',
      start(made) {
        controller = made;
      },
    });
    const read = stream.getReader({ mode: 'byob' }).read(view);
    controller.byobRequest.respond(view.byteLength || 1);
    return read.then(({ value }) => value);
  },
  (view) => Promise.resolve(view.buffer.transfer ? new Uint8Array(view.buffer.transfer()) : undefined),
];

const nativeWork = [
  (view) => new Promise((done) => zlib.deflate(view, done)),
  (view) => new Promise((done) => zlib.gzip(view, { level: 9 }, done)),
  (view) => new Promise((done) => crypto.randomFill(view, done)),
  (view) => crypto.subtle.digest('SHA-256', view),
  (view) =>
    new Promise((done) =>
      crypto.pbkdf2(view.subarray(0, 64), view.subarray(64, 128), 2000, 32, 'sha256', done),
    ),
  (view) =>
    new Promise((done) => {
      const fd = fs.openSync('/dev/null', 'w');
      fs.write(fd, view, () => fs.close(fd, done));
    }),
  (view) =>
    new Promise((done) => {
      const fd = fs.openSync('/dev/urandom');
      fs.read(fd, view, 0, view.length, 0, () => fs.close(fd, done));
    }),
  (view) => new Promise((done) => sink.write(view, done)),
];

/** Views that were moved: read from time to time, long after their file was closed. */
const moved = [];

let working = 0;

const acts = {
  read() {
    const file = open();
    check(file.map(), name(file), false);
    file.close();
  },
  async move() {
    const file = open();
    const value = await movers[random(movers.length)](file.map());
    if (random(2)) check(file.map(), name(file), false);
    if (random(2)) file.close();
    if (value) moved.push([value, name(file)]);
  },
  lookAtMoved() {
    for (const [bytes, of] of moved) check(bytes, of, true);
    if (moved.length > 50) moved.splice(0, 25);
  },
  closeInFlight() {
    const file = open();
    // A span that nobody checks: stores of native work stay in it, but its holders share them.
    // zlib gets the even bytes: with more than one chunk of output Node itself asks for its input again (docs/lifetimes.md).
    const which = random(nativeWork.length);
    goesOn(nativeWork[which](which < 2 ? file.map() : file.map({ offset: 4096 })));
    if (random(3) === 0) setImmediate(() => file.close());
    else file.close();
  },
  pinInFlight() {
    const file = open();
    const view = file.map();
    const pin = file.pin(view);
    const { length } = view; // 0 when another holder moves it away meanwhile
    goesOn(
      nativeWork[3](view).then((digest) => {
        const wanted = crypto
          .createHash('sha256')
          .update(Buffer.alloc(length, Number(name(file).slice(1)) + 1))
          .digest();
        if (!wanted.equals(Buffer.from(digest))) process.exit(3);
        pin.release();
      }),
    );
    file.close();
  },
  drop() {
    for (let i = 0; i < 20; i++) open().map({ offset: 4096 * random(16), length: 4096 * (1 + random(16)) });
    if (globalThis.gc && random(4) === 0) globalThis.gc();
  },
  raw() {
    const raw = machine.openDax('dax1.0');
    const view = raw.mmap();
    if (random(2)) goesOn(nativeWork[[0, 1, 3, 5][random(4)]](view));
    else goesOn(movers[random(movers.length)](view));
    raw.close();
  },
  worker() {
    if (!isMainThread || working > 1) return;
    working++;
    const worker = new Worker(new URL(import.meta.url), {
      execArgv: [],
      workerData: { dist, root, seed: 1 + random(2 ** 31), forMs: 100 + random(400) },
    });
    worker.on('error', (error) => {
      console.error(error);
      process.exit(4);
    });
    const over = new Promise((done) => worker.once('exit', done));
    if (random(2)) setTimeout(() => worker.terminate(), random(400));
    goesOn(over.then(() => working--));
  },
};

function open() {
  return volume.open(`/${names[random(names.length)]}`, { writable: false });
}
function name(file) {
  return file.path.slice(1);
}

const end = performance.now() + forMs;
const kinds = Object.keys(acts);
while (performance.now() < end) {
  const kind = kinds[random(kinds.length)];
  counts[kind] = (counts[kind] ?? 0) + 1;
  await acts[kind]();
  if (pending.size > 16) await Promise.race(pending);
  if (random(8) === 0) await new Promise((done) => setImmediate(done));
}
volume.close();
for (const [bytes, of] of moved) check(bytes, of, true);
await Promise.all(pending);
machine.close();
for (const [bytes, of] of moved) check(bytes, of, true);
sink.destroy();
server.close();
if (isMainThread) console.log(JSON.stringify(counts));
