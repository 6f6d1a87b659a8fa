// Brute-force nearest neighbours over 200,000 vectors of 128 float32, by worker threads: over one mapped file of a volume, and over copies in
// the heaps of the workers.
//
//   npm run build && node examples/vector-search/main.mjs [vectors] [queries]
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { openVolume } from 'udax';

const DIMENSIONS = 128;
const NEAREST = 10;
const vectors = Number(process.argv[2] ?? 200_000);
const queries = Number(process.argv[3] ?? 20);
const threads = Math.max(2, Math.min(8, availableParallelism()));
const directory = mkdtempSync(join(tmpdir(), 'udax-vectors-'));

try {
  const root = join(directory, 'pool');
  const bytes = vectors * DIMENSIONS * 4;
  const volume = openVolume(root, { size: Math.ceil(bytes / 2 ** 21) * 2 ** 21 + 64 * 2 ** 20 });
  const random = xorshift(42);
  const all = volume.create('/vectors.f32', { size: bytes }).mapAs(Float32Array, { writable: true });
  for (let at = 0; at < all.length; at++) all[at] = random();
  const asked = Array.from({ length: queries }, () => Float32Array.from({ length: DIMENSIONS }, random));
  // Each query has its answer among the vectors: a copy with a little noise.
  asked.forEach((query, index) => {
    const at = nearOf(index) * DIMENSIONS;
    for (let d = 0; d < DIMENSIONS; d++) query[d] = all[at + d] + query[d] * 1e-3;
  });
  console.log(
    `${vectors} vectors of ${DIMENSIONS} float32 (${(bytes / 2 ** 20).toFixed(1)} MiB), ${threads} threads, ${queries} queries`,
  );
  const found = [];
  for (const way of ['udax', 'heap']) found.push(await run(way, root, asked));
  const right = found[0].every((nearest, index) => nearest[0] === nearOf(index));
  console.log(
    `answers  ${right && JSON.stringify(found[0]) === JSON.stringify(found[1]) ? 'right, and the same both ways' : 'WRONG'}`,
  );
  volume.close();
} finally {
  rmSync(directory, { recursive: true, force: true });
}

function nearOf(query) {
  return (query * 7919) % vectors;
}

/** Loads the vectors into all workers in one way, asks, and prints what it took. @returns the nearest of each query */
async function run(way, root, asked) {
  const workers = [];
  for (let i = 0; i < threads; i++) {
    const from = Math.floor((i * vectors) / threads);
    const to = Math.floor(((i + 1) * vectors) / threads);
    const workerData = { way, root, from, to, dimensions: DIMENSIONS, nearest: NEAREST };
    workers.push(new Worker(new URL('./worker.mjs', import.meta.url), { workerData }));
  }
  const loaded = await Promise.all(workers.map(answerOf));
  const found = [];
  const times = [];
  for (const query of asked) {
    const begun = performance.now();
    for (const worker of workers) worker.postMessage(query);
    const parts = (await Promise.all(workers.map(answerOf))).flat();
    parts.sort((a, b) => a.distance - b.distance || a.index - b.index);
    found.push(parts.slice(0, NEAREST).map(({ index }) => index));
    times.push(performance.now() - begun);
  }
  await Promise.all(workers.map((worker) => worker.terminate()));
  const copied = loaded.reduce((sum, { copiedBytes }) => sum + copiedBytes, 0);
  const loadMs = Math.max(...loaded.map((each) => each.loadMs));
  const [first] = times;
  const median = times.sort((a, b) => a - b)[Math.floor(times.length / 2)];
  console.log(
    `${way.padEnd(8)} loaded in ${loadMs.toFixed(0)} ms, ${(copied / 2 ** 20).toFixed(1)} MiB copied, ` +
      `first query ${first.toFixed(1)} ms, then ${median.toFixed(1)} ms`,
  );
  return found;
}

async function answerOf(worker) {
  const [answer] = await once(worker, 'message');
  return answer;
}

/** Numbers in [0, 1), the same in every run. */
function xorshift(seed) {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
