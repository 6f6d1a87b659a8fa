// What went wrong: the first sketches of the preload library gave bytes of other files behind the end of a file, private mappings
// that stored, and SIGBUS where a mapping of the mount had none. Right is: each call answers and each page shows exactly what it
// does without the library; only the memory is another.

import fs from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { because, MIB, noMounts, sh } from '../mounts/support.js';
import { Tally } from '../support/tally.js';
import { hasCompiler, patterned, RunPlace, withoutCompiler } from './support.js';

const skipped = noMounts !== '' || !hasCompiler;
const PAGE = 4096;
const SIZE = 6 * MIB + 3 * PAGE + 77;
const FILES = ['simple', 'striped', 'small'];
const SIZES: Record<string, number> = { simple: SIZE, striped: SIZE, small: 1234 };

/** A volume on memory that was full of other bytes before, with the same files each time. */
function dirtyVolume(place: RunPlace, memory: 'disk' | 'tmpfs'): string {
  if (memory === 'tmpfs') place.onTmpfs(256 * MIB);
  place.makeVolume('64MiB');
  place.udax('destroy-region', '0', '-f');
  const file = path.join(place.root, 'memory');
  fs.writeFileSync(file, new Uint8Array(128 * MIB).fill(0xaa));
  for (const words of [
    ['create-region', '-s', '128M', '-b', file],
    ['reconfigure-device', '-m', 'famfs', 'dax0.0'],
    ['mkfs', '-f', 'dax0.0'],
  ]) {
    const { status, stderr } = place.udax(...words);
    if (status !== 0) throw new Error(`${words.join(' ')}: ${stderr}`);
  }
  for (const name of FILES) {
    const from = path.join(place.directory, name);
    fs.writeFileSync(from, patterned(SIZES[name]!));
    const striping = name === 'striped' ? ['-C', '2M', '-N', '3', '-B', '3'] : [];
    const { status, stderr } = place.udax('cp', ...striping, from, `dax0.0:/${name}`);
    if (status !== 0) throw new Error(stderr);
  }
  return place.mount();
}

const flagBits = [0x4000, 0x8000, 0x10000, 0x2000, 0x20000, 0x800, 0x1000, 0x80000, 0x100, 0x40];
/** Mostly what a program would ask for; now and then, in each respect, what few would. */
const mostly = <T>(usual: readonly T[], unusual: readonly T[]) =>
  fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom(...usual) },
    { weight: 1, arbitrary: fc.constantFrom(...unusual) },
  );
const calls = fc.array(
  fc.record({
    file: fc.constantFrom(...FILES),
    mode: mostly([0, 2], [1]),
    prot: mostly([0, 1, 1, 3, 3], [2, 4, 5, 7, 8]),
    type: mostly([1, 2], [0, 3]),
    bits: mostly([0], flagBits),
    page: fc.oneof(fc.constant(0), fc.constantFrom(1, 255, 512, 1535), fc.nat(6 * 256 + 6)),
    off: mostly([0], [1, 512]),
    length: fc.oneof(fc.nat(SIZE + 5 * PAGE), fc.constantFrom(1, PAGE, 2 * MIB, SIZE), mostly([SIZE], [0])),
    place: mostly([0, 0, 1, 2, 4], [3, 5]),
    prot2: mostly([-1, 0, 1, 3], [2]),
    stores: fc.constantFrom(0, 1),
  }),
  { minLength: 100, maxLength: 100 },
);

describe.skipIf(skipped)(`mmap and its kin, with and without the library${because}${withoutCompiler}`, () => {
  const places: RunPlace[] = [];
  afterEach(() => {
    for (const place of places.splice(0)) place.close();
  });

  function place(): RunPlace {
    const made = new RunPlace();
    places.push(made);
    return made;
  }

  it.each(['disk', 'tmpfs'] as const)(
    'every call answers the same, every page shows the same: memory on %s',
    (memory) => {
      const tally = new Tally();
      const [ours, theirs] = [place(), place()];
      const [here, there] = [dirtyVolume(ours, memory), dirtyVolume(theirs, memory)];
      const mapper = ours.compile('mapper');
      fc.assert(
        fc.property(calls, (list) => {
          for (const file of FILES) {
            const input = list
              .filter((call) => call.file === file)
              .map(({ mode, prot, type, bits, page, off, length, place: at, prot2, stores }) =>
                [mode, prot, (type | bits).toString(16), page * PAGE + off, length, at, prot2, stores].join(
                  ' ',
                ),
              )
              .join('\n');
            const { stdout, explained } = ours.output([mapper, path.join(here, file)], { input });
            const plain = sh(`${mapper} ${path.join(there, file)} <<'END'\n${input}\nEND`, 60);
            expect(plain.status).toBe(0);
            const inputs = input.split('\n');
            const wanted = plain.stdout.split('\n').map((line, i) => `${inputs[i] ?? ''} => ${line}`);
            expect(stdout.split('\n').map((line, i) => `${inputs[i] ?? ''} => ${line}`)).toEqual(wanted);
            for (const line of plain.stdout.trim().split('\n'))
              tally.count('a call succeeded', !line.includes(' mmap E'));
            for (const line of explained)
              tally.count('the memory was mapped', line.includes('the memory itself'));
          }
        }),
        { numRuns: 2, endOnFailure: true },
      );
      tally.eachMustReach(0.2);
    },
  );
});
