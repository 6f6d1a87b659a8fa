// A worker in Node: usage: worker.mjs ROOT SEED REQUESTS. Prints one line of JSON.
import { mountFamfs, openMachine } from 'udax';
import { openArena } from 'udax/arena';
import { BLOCK_BYTES, BLOCKS_OF_PREFIX, fillBlock, isRight, PREFIXES } from './model.mjs';

const [root, seed, requests] = process.argv.slice(2);
const machine = openMachine(root);
const volume = mountFamfs(machine.device('dax0.0'), { clientWrites: true });
const arena = openArena(volume, '/kv', { lockWaitMs: 10_000 });
let state = Number(seed) * 7919;
const result = { hits: 0, misses: 0, copied: 0, wrong: 0, hitMs: 0, missMs: 0 };

for (let i = 0; i < Number(requests); i++) {
  state = (state * 48271) % 2147483647;
  const prefix = `prefix-${state % PREFIXES}`;
  const started = performance.now();
  let computed = 0;
  for (let number = 0; number < BLOCKS_OF_PREFIX; number++) {
    const key = `${prefix}/${number}`;
    const value = arena.get(key);
    if (value !== null) {
      if (!isRight(value.bytes, prefix, number)) result.wrong++;
      value.release();
      result.hits++;
      continue;
    }
    computed++;
    result.misses++;
    const reservation = arena.reserve(key, BLOCK_BYTES);
    fillBlock(reservation.bytes, prefix, number);
    reservation.commit();
  }
  const took = performance.now() - started;
  if (computed === 0) result.hitMs = result.hitMs === 0 ? took : Math.min(result.hitMs, took);
  else if (computed === BLOCKS_OF_PREFIX) result.missMs = Math.max(result.missMs, took);
}
arena.close();
volume.close();
machine.close();
console.log(JSON.stringify(result));
