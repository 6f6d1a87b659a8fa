// The preload library itself: what it is built from, where it runs, and that what was changed is not loaded.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { because, have, MIB, noMounts } from '../mounts/support.js';
import { BUILT, checkout, hasCompiler, PREBUILT, patterned, RunPlace, withoutCompiler } from './support.js';

const missing = (...programs: string[]) => {
  const lacking = programs.find((program) => !have(program));
  return lacking === undefined ? '' : ` (skipped: there is no ${lacking})`;
};
const skipped = noMounts !== '' || !hasCompiler;
const noArm = missing('aarch64-linux-gnu-gcc', 'qemu-aarch64-static');
const noMusl = missing('musl-gcc');
const noValgrind = missing('valgrind');
const isX64 = process.arch === 'x64';
const SIZE = 5 * MIB + 77;

describe.skipIf(skipped)(`the preload library${because}${withoutCompiler}`, () => {
  let place: RunPlace;
  afterEach(() => place.close());

  /** Runs the program of c/basic.c on a mount, with a library preloaded, by the words given. */
  function basic(program: (place: RunPlace) => string, words: (library: string, file: string) => string[]) {
    place = new RunPlace();
    place.makeVolume('128MiB');
    const bytes = patterned(SIZE);
    const plain = path.join(place.directory, 'plain');
    fs.writeFileSync(plain, bytes);
    expect(place.udax('cp', '-C', '2M', '-N', '2', '-B', '2', plain, 'dax0.0:/a').stderr).toBe('');
    const made = program(place);
    const at = place.mount();
    const [word, ...args] = words(made, `${at}/a`);
    const explain = path.join(place.directory, 'explained');
    const env = { ...process.env, UDAX_RUN_EXPLAIN: explain };
    const { status, stdout, stderr } = spawnSync(word!, args, { encoding: 'utf8', env });
    expect([status, stderr]).toEqual([0, '']);
    expect(Number(stdout)).toBe(bytes.reduce((sum, byte) => sum + byte, 0));
    const lines = fs.readFileSync(explain, 'utf8').trim().split('\n');
    expect(lines.map((line) => /: the [^,]*/.exec(line)![0])).toEqual([
      ': the memory itself',
      ': the memory itself',
    ]);
  }

  const preloaded = (library: string) => (made: string, file: string) => [
    'env',
    `LD_PRELOAD=${library}`,
    made,
    file,
  ];

  it('as it came with the package', () => {
    basic((here) => here.compile('basic'), preloaded(PREBUILT));
  });

  it('as it is built here from its source', () => {
    expect(fs.existsSync(BUILT)).toBe(true);
    basic((here) => here.compile('basic'), preloaded(BUILT));
  });

  it.skipIf(noMusl !== '' || !isX64)(`the same binary in a musl program${noMusl}`, () => {
    basic((here) => here.compile('basic', 'musl-gcc'), preloaded(PREBUILT));
  });

  it.skipIf(noArm !== '')(`the one for arm64, under emulation${noArm}`, () => {
    const library = path.join(checkout, 'native/prebuilt/linux-arm64/udax-run.so');
    basic(
      (here) => here.compile('basic', 'aarch64-linux-gnu-gcc'),
      (made, file) => [
        'qemu-aarch64-static',
        '-L',
        '/usr/aarch64-linux-gnu',
        '-E',
        `LD_PRELOAD=${library}`,
        made,
        file,
      ],
    );
  });

  it.skipIf(noValgrind !== '')(`under valgrind: no error${noValgrind}`, () => {
    basic(
      (here) => here.compile('basic'),
      (made, file) => ['env', `LD_PRELOAD=${BUILT}`, 'valgrind', '-q', '--error-exitcode=9', made, file],
    );
  });

  it('with the sanitizer for undefined behaviour in it: no report', () => {
    basic(
      (here) => {
        const sanitized = [
          '-fsanitize=undefined',
          '-fno-sanitize-recover=all',
          path.join(checkout, 'native/udax-run.c'),
          '-ldl',
        ];
        return here.compile('basic', 'cc', '-std=gnu11', ...sanitized);
      },
      (made, file) => [made, file],
    );
  });

  it('needs no library and three symbols that every libc has; it exports only what it stands before', () => {
    place = new RunPlace();
    for (const library of [PREBUILT, BUILT]) {
      expect(spawnSync('readelf', ['-d', library], { encoding: 'utf8' }).stdout).not.toMatch(
        /NEEDED|TEXTREL|RUNPATH/,
      );
      const names = spawnSync('nm', ['-D', library], { encoding: 'utf8' })
        .stdout.split('\n')
        .map((line) => line.slice(17));
      expect(names.filter((name) => /^[Uw] /.test(name)).sort()).toEqual([
        'U __errno_location',
        'U getauxval',
        'U getenv',
        'w dlsym',
      ]);
      expect(
        names
          .filter((name) => name.startsWith('T '))
          .map((name) => name.slice(2))
          .sort(),
      ).toEqual(['madvise', 'mmap', 'mmap64', 'mprotect', 'mremap', 'msync', 'munmap', 'remap_file_pages']);
    }
  });
});

describe('what udax run preloads', () => {
  it('is small, has its checksum, and its source says the same as what was built', () => {
    const directory = path.join(checkout, 'native/prebuilt');
    const sums = fs.readFileSync(path.join(directory, 'SHA256SUMS'), 'utf8').trim().split('\n');
    expect(sums.map((line) => line.slice(66))).toEqual(['linux-x64/udax-run.so', 'linux-arm64/udax-run.so']);
    for (const line of sums) {
      const bytes = fs.readFileSync(path.join(directory, line.slice(66)));
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(line.slice(0, 64));
      expect(bytes.length).toBeLessThan(30_000);
    }
    const { udaxRunSource } = JSON.parse(fs.readFileSync(path.join(directory, 'built-from.json'), 'utf8'));
    const hash = createHash('sha256');
    for (const name of ['udax-run.c', 'udax-run.h'])
      hash.update(fs.readFileSync(path.join(checkout, 'native', name)));
    expect(
      hash.digest('hex'),
      'npm run prebuild-native was not run after the last change of the source',
    ).toBe(udaxRunSource);
  });
});
