// A KV cache of a made-up language model, shared by four Node and four Python workers.
//
//   npm run build && node examples/kv-cache/main.mjs [requests of each worker]
//
// Prompts begin with one of a few long prefixes. Computing the keys and values of a prefix costs time; whoever has done it puts the blocks into an arena,
// and every other worker, in either language, takes them from there: in place, pinned while they are used. For comparison the same
// block is computed again, and copied over a socket.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { openVolume } from 'udax';
import { createArena, openArena } from 'udax/arena';
import { BLOCK_BYTES, computeBlock } from './model.mjs';

const requests = Number(process.argv[2] ?? 30);
const directory = mkdtempSync(join(tmpdir(), 'udax-kv-'));
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const python = fileURLToPath(new URL('../../clients/python/src', import.meta.url));

try {
  const root = join(directory, 'pool');
  const volume = openVolume(root, { size: '256MiB' });
  createArena(volume, '/kv', { size: 160 * 2 ** 20, eviction: 'clock', slots: 2048 });
  const arena = openArena(volume, '/kv');
  const workers = [];
  for (let i = 0; i < 4; i++) {
    workers.push(run('Node', process.execPath, [here('worker.mjs'), root, String(i + 1), String(requests)]));
    workers.push(run('Python', 'python3', [here('worker.py'), root, String(i + 1), String(requests)]));
  }
  const results = (await Promise.all(workers)).filter((each) => each !== undefined);
  console.log(`${results.length} workers, ${requests} requests each, blocks of ${BLOCK_BYTES / 1024} KiB`);
  for (const language of ['Node', 'Python']) {
    const own = results.filter((each) => each.language === language);
    if (own.length === 0) continue;
    const sum = (name) => own.reduce((total, each) => total + each[name], 0);
    const rate = ((100 * sum('hits')) / (sum('hits') + sum('misses'))).toFixed(0);
    console.log(
      `${language.padEnd(7)} hit rate ${rate}%  bytes copied on hits ${sum('copied')}  wrong ${sum('wrong')}  ` +
        `first token ${mean(own, 'hitMs')} ms on a hit, ${mean(own, 'missMs')} ms computed`,
    );
  }
  console.log(`socket  the same block copied over a socket: ${(await socketMs()).toFixed(3)} ms`);
  const { objects, evictions, used, free, heap, members } = arena.stats();
  console.log(
    `arena   ${objects} blocks, ${evictions} evicted, ${used + free === heap ? 'no byte lost' : 'BYTES LOST'}, ${members.length} member left`,
  );
  arena.close();
  volume.close();
} finally {
  rmSync(directory, { recursive: true, force: true });
}

function mean(list, name) {
  const known = list.map((each) => each[name]).filter((each) => each > 0);
  return (known.reduce((a, b) => a + b, 0) / Math.max(1, known.length)).toFixed(3);
}

/** Runs a worker to its end. Undefined where its program is missing. */
async function run(language, program, args) {
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, PYTHONPATH: python },
  });
  let result;
  const isMissing = new Promise((resolve) => child.on('error', () => resolve(true)));
  const ended = new Promise((resolve) => child.on('close', () => resolve(false)));
  createInterface({ input: child.stdout }).on('line', (line) => {
    result = { language, ...JSON.parse(line) };
  });
  if ((await Promise.race([isMissing, ended])) === false && result === undefined)
    throw new Error(`a ${language} worker failed`);
  return result;
}

/** Milliseconds until a block has come over a local socket. */
async function socketMs() {
  const block = computeBlock('socket', 0);
  const server = createServer((socket) => socket.on('data', () => socket.write(block))).listen(
    join(directory, 'socket'),
  );
  const socket = connect(join(directory, 'socket'));
  const times = [];
  for (let i = 0; i < 20; i++) {
    const started = performance.now();
    socket.write('x');
    for (let left = block.length; left > 0; )
      left -= await new Promise((resolve) => socket.once('data', (data) => resolve(data.length)));
    times.push(performance.now() - started);
  }
  socket.destroy();
  server.close();
  return times.sort((a, b) => a - b)[10];
}
