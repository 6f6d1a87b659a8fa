// What went wrong: when the n-th system call of an operation failed, something stayed behind: the machine's lock when its file
// could not be looked at, a draft of machine.json when it could not be renamed, a descriptor when a lock was refused, a device's
// hold when its document could not be read. Right: every step releases what was taken, and the next try succeeds.
// This is a short deterministic form of proof/faults (its README has the failure model): some operations, every step once, with
// one errno each.
import { describe, expect, it } from 'vitest';
import { patchAll } from '../../proof/faults/patches.js';

// Must run before src/ makes its first call.
patchAll();
const { operations, controls } = await import('../../proof/faults/operations.js');
const { expectedOf, tryFault } = await import('../../proof/faults/trying.js');

const SHORT = [
  'create a region',
  'reconfigure to famfs',
  'mkfs',
  'mount and unmount (library)',
  'mkdir',
  'create',
  'copyIn',
  'rewrite: remove',
  'rewrite: move and resize',
  'make a queue',
  'destroy a region',
  'put into a queue',
  'take from a queue',
  'kernel: devdax to system-ram',
  'kernel: system-ram to devdax',
  'kernel: devdax to famfs',
  'kernel: famfs to devdax',
  'kernel: enable',
  'kernel: disable',
  'kernel: create',
  'kernel: destroy',
];

type Operation = (typeof operations)[number];

async function findingsOf(operation: Operation): Promise<{ faults: number; found: string[] }> {
  await expectedOf(operation);
  const expected = await expectedOf(operation);
  const found: string[] = [];
  for (let step = 1; ; step++) {
    const { hits, findings } = await tryFault(operation, expected, { step, choice: step, isDouble: false });
    if (hits.length === 0) return { faults: step - 1, found };
    for (const { call, errno, what, stack } of findings) {
      found.push(
        `npm run faults -- --operation '${operation.name}' --step ${step} (${call} ${errno}): ${what}\n${stack}`,
      );
    }
  }
}

describe('a step that fails', () => {
  for (const operation of operations.filter(({ name }) => SHORT.includes(name))) {
    it(`in '${operation.name}': full unwind, nothing left behind, and the next try succeeds`, async () => {
      const { faults, found } = await findingsOf(operation);
      expect(faults).toBeGreaterThan(4);
      expect(found).toEqual([]);
    });
  }

  // Some steps check the machine at most once a millisecond, so the number of a step may vary. That control needs every errno
  // (--controls).
  const steady = controls.filter(({ name }) => !name.endsWith('as failed'));
  it.each(steady)('$name: is found', async (control) => {
    expect((await findingsOf(control)).found.length).toBeGreaterThan(0);
  });
});
