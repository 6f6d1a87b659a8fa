// How long a new file takes to be seen by another host, by one clock: the master creates a file, the client that sees
// it stores its number into a word of a file both have mapped, for which the master waits.
import { volumeOf } from './volumes.mjs';

const PATIENCE_MS = 25_000;

const word = (volume, path) => volumeOf(volume).open(path).mapAs(Int32Array, { length: 4, writable: true });

/** On the master. @returns of each round the milliseconds of create() and from its return until it was seen */
export function createAndWait(volume, prefix, flag, count) {
  const seen = word(volume, flag);
  const rounds = [];
  for (let round = 1; round <= count; round++) {
    const begun = performance.now();
    volumeOf(volume).create(`${prefix}${round}`, { size: 4096 }).close();
    const created = performance.now();
    while (Atomics.load(seen, 0) !== round) {
      if (performance.now() - begun > PATIENCE_MS) throw new Error(`${prefix}${round} was not seen`);
    }
    rounds.push({ create: created - begun, seen: performance.now() - created });
  }
  return rounds;
}

/** On a client that looks all the time. */
export function seeByRefresh(volume, prefix, flag, count) {
  const seen = word(volume, flag);
  const deadline = performance.now() + PATIENCE_MS;
  for (let round = 1; round <= count; ) {
    volumeOf(volume).refresh();
    if (volumeOf(volume).exists(`${prefix}${round}`)) Atomics.store(seen, 0, round++);
    if (performance.now() > deadline) throw new Error(`${prefix}${round} did not appear`);
  }
}

/** On a client that watches. */
export async function seeByWatch(volume, prefix, flag, count) {
  const seen = word(volume, flag);
  let round = 1;
  for await (const event of volumeOf(volume).watch()) {
    if (event.type === 'new' && event.entries.some(({ path }) => path === `${prefix}${round}`)) {
      Atomics.store(seen, 0, round++);
      if (round > count) break;
    }
  }
}
