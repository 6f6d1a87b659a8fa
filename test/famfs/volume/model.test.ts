import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Bus, checkInvariants } from '../../../src/dax/index.js';
import type { Volume, VolumeFile } from '../../../src/famfs/index.js';
import { Tally } from '../../support/tally.js';
import { contentOf, MIB, Pool, pattern } from './support.js';

const SIZE = 32 * MIB;
const names = ['a', 'b', 'd', 'd/a', 'd/e', 'd/e/f'];

type Step =
  | { do: 'create'; who: number; name: string; size: number }
  | { do: 'mkdir'; who: number; name: string }
  | { do: 'write'; who: number; name: string; at: number; length: number; seed: number }
  | { do: 'map'; who: number; name: string; at: number; writable: boolean }
  | { do: 'close'; who: number; which: number }
  | { do: 'remount'; who: number };

const who = fc.nat(1);
const name = fc.constantFrom(...names);
/** Mostly the file that exists from the start. */
const written = fc.constantFrom('a', 'a', 'a', ...names);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('create' as const), who, name, size: fc.integer({ min: 1, max: 5 * MIB }) }),
  fc.record({ do: fc.constant('mkdir' as const), who, name }),
  fc.record({
    do: fc.constant('write' as const),
    who,
    name: written,
    at: fc.nat(5 * MIB),
    length: fc.integer({ min: 1, max: 9000 }),
    seed: fc.nat(255),
  }),
  fc.record({
    do: fc.constant('map' as const),
    who,
    name: written,
    at: fc.nat(5 * MIB),
    writable: fc.boolean(),
  }),
  fc.record({ do: fc.constant('close' as const), who, which: fc.nat(5) }),
  fc.record({ do: fc.constant('remount' as const), who }),
);

/** What every process must see. */
class Model {
  readonly files = new Map<string, Uint8Array>();
  readonly directories = new Set<string>(['']);

  /** The code a new name is refused with, or null. */
  refusal(name: string): string | null {
    if (this.files.has(name) || this.directories.has(name)) return 'EEXIST';
    const parent = name.slice(0, Math.max(0, name.lastIndexOf('/')));
    if (this.directories.has(parent)) return null;
    for (let up = parent; up !== ''; up = up.slice(0, Math.max(0, up.lastIndexOf('/')))) {
      if (this.files.has(up)) return 'ENOTDIR';
    }
    return 'ENOENT';
  }
}

function codeOf(act: () => unknown): string | null {
  try {
    act();
    return null;
  } catch (error) {
    return (error as { code: string }).code;
  }
}

/** I5 counts pins that only the files know, so it is checked when all files are closed. */
function broken(bus: Bus) {
  return checkInvariants(bus).filter(({ invariant }) => invariant !== 'I5');
}

it('two processes in any order of operations see one volume, and nothing leaks', () => {
  const tally = new Tally();
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const pool = new Pool({ size: SIZE });
      const machines = [pool.machine(), pool.machine()];
      const volumes: Volume[] = machines.map((machine) => pool.mountOn(machine));
      const open: VolumeFile[][] = [[], []];
      const model = new Model();
      // Without this, no run once had a file to write or map.
      const first: Step[] = [
        { do: 'create', who: 0, name: 'a', size: 5 * MIB },
        { do: 'mkdir', who: 0, name: 'd' },
      ];
      for (const it of [...first, ...steps]) {
        const volume = volumes[it.who]!;
        volume.refresh();
        if (it.do === 'create') {
          const refused = model.refusal(it.name);
          const code = codeOf(() => open[it.who]!.push(volume.create(it.name, { size: it.size })));
          tally.count('create', code === null);
          if (refused !== null) expect(code).toBe(refused);
          else if (code !== 'ENOSPC') {
            expect(code).toBeNull();
            model.files.set(it.name, new Uint8Array(it.size));
          }
        } else if (it.do === 'mkdir') {
          const code = codeOf(() => volume.mkdir(it.name));
          tally.count('mkdir', code === null);
          expect(code).toBe(model.refusal(it.name));
          if (volume.exists(it.name) && !model.files.has(it.name)) model.directories.add(it.name);
        } else if (it.do === 'write' && tally.count('write', model.files.has(it.name))) {
          const content = model.files.get(it.name)!;
          const bytes = pattern(it.length, it.seed);
          const fits = tally.count('write inside', it.at + it.length <= content.length);
          const file = volume.open(it.name);
          expect(codeOf(() => file.write(bytes, it.at))).toBe(fits ? null : 'ENOSPC');
          file.close();
          if (fits) content.set(bytes, it.at);
        } else if (it.do === 'map' && tally.count('map', model.files.has(it.name))) {
          const content = model.files.get(it.name)!;
          const file = volume.open(it.name);
          open[it.who]!.push(file);
          const code = codeOf(() => {
            const view = file.map({ offset: it.at, writable: it.writable });
            expect(Buffer.from(view).equals(content.subarray(it.at))).toBe(true);
          });
          expect(code).toBe(tally.count('map inside', it.at < content.length) ? null : 'EINVAL');
        } else if (it.do === 'close') {
          open[it.who]!.splice(it.which, 1)[0]?.close();
        } else if (it.do === 'remount') {
          volume.close();
          open[it.who] = [];
          expect(machines[it.who]!.memory.stats().mappings).toBe(0);
          volumes[it.who] = pool.mountOn(machines[it.who]!);
        }
        for (const { bus } of machines) expect(broken(bus)).toEqual([]);
      }
      for (const volume of volumes) {
        volume.refresh();
        const seen = [...volume.walk()].map(({ path }) => path.slice(1));
        expect(seen.sort()).toEqual([...model.files.keys(), ...model.directories].filter(Boolean).sort());
        for (const [path, content] of model.files) {
          expect(Buffer.from(contentOf(volume, path)).equals(content)).toBe(true);
        }
        volume.close();
      }
      expect(pool.fsck()).toEqual([]);
      for (const { dax, bus } of machines) {
        expect(dax.pages.stats().sections).toBe(0);
        expect(checkInvariants(bus)).toEqual([]);
      }
      pool.close();
    }),
    { numRuns: 30 },
  );
  tally.mustReach({
    create: 0.05,
    mkdir: 0.05,
    write: 0.1,
    'write inside': 0.1,
    map: 0.1,
    'map inside': 0.1,
  });
});
