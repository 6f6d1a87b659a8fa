import fs from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkInvariants } from '../../../src/dax/index.js';
import { type DeviceMode, type Machine, openMachine } from '../../../src/machine/index.js';
import { Tally } from '../../support/tally.js';
import { MiB, temporaryDirectory } from '../support.js';

const BLOCK = 128 * MiB;

/** An operation on one of two machine objects over one state directory. Refusals (DaxError) are valid results. */
type Act = (machine: Machine) => void;

const region = fc.nat(1);
const device = fc.tuple(region, fc.constantFrom(0, 0, 0, 1)).map(([r, i]) => `dax${r}.${i}`);
const force = fc.boolean();
const mode = fc.constantFrom<DeviceMode>('devdax', 'famfs', 'system-ram');

const act: fc.Arbitrary<[string, Act]> = fc.oneof(
  fc
    .record({
      isStatic: fc.boolean(),
      type: fc.constantFrom('device' as const, 'kmem' as const),
      blocks: fc.integer({ min: 1, max: 2 }),
    })
    .map(({ isStatic, type, blocks }): [string, Act] => [
      `createRegion ${type}`,
      (machine) => {
        if (machine.regions().length < 3)
          machine.createRegion({ size: blocks * BLOCK, sparse: true, static: isStatic, type });
      },
    ]),
  fc
    .tuple(region, force)
    .map(([id, f]): [string, Act] => [
      `destroyRegion ${id}`,
      (machine) => machine.destroyRegion(id, { force: f }),
    ]),
  fc
    .tuple(device, mode, force)
    .map(([name, to, f]): [string, Act] => [
      `reconfigure ${name} ${to} ${f}`,
      (machine) => void machine.reconfigure(name, to, { force: f }),
    ]),
  fc
    .tuple(device, force)
    .map(([name, f]): [string, Act] => [
      `disable ${name}`,
      (machine) => void machine.disable(name, { force: f }),
    ]),
  device.map((name): [string, Act] => [`enable ${name}`, (machine) => void machine.enable(name)]),
  fc
    .tuple(device, force)
    .map(([name, f]): [string, Act] => [
      `destroyDevice ${name}`,
      (machine) => machine.destroyDevice(name, { force: f }),
    ]),
  fc
    .tuple(region, fc.integer({ min: 1, max: 64 }))
    .map(([id, units]): [string, Act] => [
      `createDevice ${id} ${units}`,
      (machine) => void machine.createDevice(id, { size: units * 2 * MiB }),
    ]),
  device.map((name): [string, Act] => [
    `memoryFailure ${name}`,
    (machine) => machine.memoryFailure({ device: name, offset: 4096 }),
  ]),
  fc.constant<[string, Act]>(['clearPoison', (machine) => machine.clearPoison()]),
  device.map((name): [string, Act] => [
    `half a change of ${name}`,
    (machine) =>
      machine.change((bus) => {
        const found = bus.device(name);
        if (found?.driver) bus.unbind(found.driver, name);
        bus.autoprobe = !bus.autoprobe;
        throw Object.assign(new Error('half-way'), { code: 'EIO' });
      }),
  ]),
);

describe('two machine objects on one state directory', () => {
  it('agree with each other and the disk after every act, and a refused act changes nothing', {
    timeout: 600_000,
  }, () => {
    const tally = new Tally();
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), act), { minLength: 10, maxLength: 30 }), (acts) => {
        const root = path.join(temporaryDirectory(), 'state');
        const [one, two] = [openMachine(root, { create: true }), openMachine(root)];
        one.createRegion({ size: BLOCK, sparse: true });
        two.createRegion({ size: 2 * BLOCK, sparse: true });
        try {
          for (const [isFirst, [what, run]] of acts) {
            const actor = isFirst ? one : two;
            const before = truth(actor);
            const isDone = succeeds(() => run(actor));
            if (!isDone) expect(truth(actor)).toEqual(before);
            // The `half` acts are changes that fail on purpose.
            if (!what.startsWith('half')) tally.count(what.split(' ', 1)[0]!, isDone);
            expect(truth(two)).toEqual(truth(one));
            expect([...checkInvariants(one.bus), ...checkInvariants(two.bus)]).toEqual([]);
            const named = one.regions().map(({ backing }) => path.basename(backing.path));
            expect(fs.readdirSync(path.join(root, 'regions')).sort()).toEqual(named.sort());
          }
        } finally {
          one.close();
          two.close();
        }
      }),
      { numRuns: 80 },
    );
    tally.eachMustReach(0.02);
  });
});

function truth(machine: Machine): unknown {
  return {
    bus: machine.bus.snapshot(),
    regions: machine.regions(),
    devices: machine.devices(),
    poison: machine.poisonList(),
  };
}

function succeeds(run: () => void): boolean {
  try {
    run();
    return true;
  } catch (error) {
    // An error without an errno is a bug.
    if (error instanceof Error && 'code' in error) return false;
    throw error;
  }
}
