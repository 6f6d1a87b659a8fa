import { describe, expect, it } from 'vitest';
import { machineWithFiles, otherNodes, stress } from './lifetime-support.js';

/**
 * Views that are moved, closed during native work, dropped, and left by workers, at random, in three processes on one machine.
 * There must be no signal, and every byte must be the file's or zero. UDAX_STRESS_MS sets the duration (use 60000 for a real
 * check), UDAX_SEED the seed.
 */
const forMs = Number(process.env.UDAX_STRESS_MS ?? 4000);
const seed = Number(process.env.UDAX_SEED ?? Date.now() % 1_000_000);

describe(`views under stress, ${forMs} ms, seed ${seed}`, () => {
  const nodes = [process.execPath, ...otherNodes];
  it.each(nodes)(
    'end no process: %s',
    async (node) => {
      const root = machineWithFiles(8);
      const ends = await Promise.all([0, 1, 2].map((i) => stress(node, root, seed + i, forMs)));
      for (const { stdout, ...outcome } of ends) {
        expect(outcome).toEqual({ stderr: '', end: 0 });
        expect(JSON.parse(stdout)).toMatchObject({
          move: expect.any(Number),
          closeInFlight: expect.any(Number),
        });
      }
    },
    forMs + 60_000,
  );

  it.skipIf(otherNodes.length > 0)(
    'on other versions of Node (skipped: UDAX_NODES names no other binaries, separated by colons)',
    () => {},
  );
});
