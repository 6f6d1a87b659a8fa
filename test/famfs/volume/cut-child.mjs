// A process that uses a pool whose file is cut under it, on the built package: what the kernel would end it for, ends it.
// Prints one JSON object: for each act the code of its error, or 'ok'.
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Bus } from '../../../dist/dax/index.js';
import { createQueue, deviceMedia, fsckMedia, mountFamfsOn, openQueue } from '../../../dist/famfs/index.js';
import { openBacking, PhysicalMemory } from '../../../dist/memory/index.js';

const [file, uuid, cutTo] = process.argv.slice(2);
const HPA = 2 ** 40;
const MIB = 2 ** 20;
const size = fs.statSync(file).size;
const memory = new PhysicalMemory();
memory.insert({ start: HPA, length: size, backing: openBacking(file, { writable: true }), offset: 0 });
const bus = new Bus({ memory });
bus.insmod('fsdev_dax');
bus.addRegion({ type: 'device', static: true, start: HPA, size, align: 2 ** 21, targetNode: 0 });
bus.newId('fsdev_dax', 'dax0.0');
const device = {
  name: 'dax0.0',
  dax: bus.device('dax0.0').dax,
  systemUuid: uuid,
  writable: true,
  hold: () => ({ release() {} }),
};
const source = path.join(path.dirname(file), 'source');
fs.writeFileSync(source, new Uint8Array(MIB));

const volume = mountFamfsOn(device);
createQueue(volume, '/queue', { nbuckets: 8, bucketSize: 64 });
const queue = openQueue(volume, '/queue', { role: 'both' });
queue.tryPut(new Uint8Array(48));
await volume.copyIn(source, '/same');
const open = volume.create('/file', { size: 4 * MIB });
open.write(new Uint8Array(4 * MIB).fill(7), 0);
open.read(new Uint8Array(4096), 0);
const growing = volume.inodes.grow('/growing', { mode: 0o644, uid: 0, gid: 0 });
growing.write(new Uint8Array(100), 0);
const spans = volume.inodes.spans(volume.stat('/file').ino);
const watcher = volume.watch();

// Somebody else cuts it, in another turn of the event loop than the last message of the queue.
await new Promise((resolve) => setImmediate(resolve));
fs.truncateSync(file, Number(cutTo));

const acts = {
  read: () => open.read(new Uint8Array(4096), 0),
  'read at the end': () => open.read(new Uint8Array(4096), 4 * MIB - 4096),
  write: () => open.write(new Uint8Array(10), 5),
  map: () => open.map({ offset: 4096, length: 4096 }),
  checkMemory: () => open.checkMemory(),
  flush: () => volume.flush('/file'),
  publish: () => volume.publish(),
  refresh: () => volume.refresh(),
  isBehind: () => volume.inodes.isBehind,
  watch: () =>
    Promise.race([watcher.next(), setTimeout(Number(cutTo) === 0 ? 60_000 : 100, undefined, { ref: false })]),
  getmap: () => volume.getmap('/same'),
  'open another': () => volume.open('/same').read(new Uint8Array(10), 0),
  'spans of another': () => {
    if (volume.inodes.spans(volume.stat('/same').ino) === null)
      throw Object.assign(new Error(), { code: 'EIO' });
  },
  mkdir: () => volume.mkdir('/directory'),
  'mkdir after a while': async () => {
    await setTimeout(30);
    volume.mkdir('/directory');
  },
  create: () => volume.create('/new', { size: 40 * MIB, zero: false }),
  'create zeroed': () => volume.create('/new', { size: 40 * MIB }),
  copyIn: () => volume.copyIn(source, '/copied'),
  'copyIn over': () => volume.copyIn(source, '/same'),
  copyOut: () => volume.copyOut('/file', `${file}.out`),
  'write to a file in the making': () => growing.write(new Uint8Array(100), 50),
  'publish a file in the making': () => growing.publish(),
  put: () => queue.tryPut(new Uint8Array(48)),
  get: () => queue.tryGet(),
  'length of a queue': () => queue.length,
};
const answers = {};
for (const [name, act] of Object.entries(acts)) {
  try {
    await act();
    answers[name] = 'ok';
  } catch (error) {
    answers[name] = error.code ?? String(error);
    if (name === 'read') answers.message = error.message;
  }
}
try {
  answers.walk = [...volume.walk()].length;
} catch (error) {
  answers.walk = error.code;
}
answers.sizeAfter = fs.statSync(file).size;
const media = deviceMedia(device);
const report = fsckMedia(media);
answers.fsck = report.ok ? 'ok' : report.errors.map(({ code }) => code);
answers.fsckSays = report.errors.map(({ message }) => message);
answers.spans = spans === null ? 'none' : 'there';
watcher.close();
queue.close();
volume.close();
fs.writeSync(1, JSON.stringify(answers));
