/**
 * Incident: EMFILE reached the user as "udax: : too many open files", as a TypeError of a child without streams or as Node's
 * "Worker initialization failure". Right: one line that names the file, program or thread, the reason, what to do, and the errno.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { because, noMounts } from '../mounts/support.js';
import { temporaryDirectory, testEnvironment, udax } from './support/udax.js';

const child = resolve(import.meta.dirname, '../support/late-descriptors.mjs');
const dist = resolve(import.meta.dirname, '../../dist');
/** Enough for loading, and few enough to be used up quickly. */
const LIMIT = 300;
/** Numbers of spare descriptors. A worker loads all its modules at once. */
const SPARE = [0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 32, 64, 128];

let directory: ReturnType<typeof temporaryDirectory>;
let root = '';
const at = (name: string) => join(directory.path, name);

beforeAll(() => {
  directory = temporaryDirectory();
  root = at('state');
  for (const words of [
    ['create-region', '-s', '64M', '--sparse'],
    ['reconfigure-device', '-m', 'famfs', 'dax0.0'],
    ['mkfs', 'dax0.0'],
    ['creat', '-r', '-S', '1', '-s', '1M', 'dax0.0:/f'],
  ])
    expect([words, udax(root, ...words).status]).toEqual([words, 0]);
  copyFileSync(join(root, 'regions/0.mem'), at('image'));
  writeFileSync(at('host'), 'x'.repeat(5000));
  mkdirSync(at('mnt'));
  mkdirSync(at('out'));
});

afterAll(() => {
  if (noMounts === '') udax(root, 'umount', '-f', at('mnt'));
  directory.remove();
});

function withSpare(spare: number, words: readonly string[]) {
  const line = [
    'sh',
    '-c',
    `ulimit -n ${LIMIT}; exec "$0" "$@"`,
    process.execPath,
    child,
    dist,
    String(spare),
  ];
  return spawnSync(line[0]!, [...line.slice(1), '--root', root, ...words], {
    encoding: 'utf8',
    env: testEnvironment(),
    timeout: 150_000,
    killSignal: 'SIGKILL',
  });
}

const WITH_ADVICE = /^udax: .*too many open files.*ulimit -n.* \(EMFILE\)\n$/;
/** The message about a module that a thread could not load, with Node's wording. */
const NAMED = /^udax: .*too many open files.* \(EMFILE\)\n$/;

/** Runs a command with more and more spare descriptors, until it works. */
function isToldEachTime(words: readonly string[], told = WITH_ADVICE): void {
  let refusals = 0;
  for (const spare of SPARE) {
    const { status, signal, stderr } = withSpare(spare, words);
    if (status === 0) {
      expect(refusals).toBeGreaterThan(0);
      return;
    }
    refusals++;
    expect([words, spare, status, signal]).toEqual([words, spare, 1, null]);
    // No stack: what failed, why, and the errno.
    expect(stderr).toMatch(told);
    expect(stderr.replace(/^udax: [a-z-]*:/, '')).toMatch(/\/\w|dax0\.0|unshare|stat /);
  }
  expect.unreachable(`${words.join(' ')} never worked`);
}

describe('a command that runs out of descriptors at its work', () => {
  it.each([
    ['status', []],
    ['holders', []],
    ['create-region', ['-s', '16M', '--sparse']],
    ['ls', ['-l', 'dax0.0:/']],
    ['cat', ['dax0.0:/f']],
    ['verify', ['-S', '1', 'dax0.0:/f']],
    ['fsck', ['dax0.0']],
  ])('%s is told what could not be opened', (name, words) => isToldEachTime([name, ...words]));

  it('cp, creat, mkfs: the same', () => {
    isToldEachTime(['cp', at('host'), 'dax0.0:/g']);
    isToldEachTime(['cp', 'dax0.0:/f', at('out')]);
    isToldEachTime(['creat', '-s', '4096', 'dax0.0:/z']);
    isToldEachTime(['mkfs', '-f', at('image')]);
  }, 600_000);
});

describe.skipIf(noMounts !== '')(`a mount that runs out of descriptors${because}`, () => {
  it('names the program it could not start', () => {
    isToldEachTime(['mount', 'dax0.0', at('mnt')]);
    isToldEachTime(['umount', at('mnt')]);
    isToldEachTime(['sysfs', at('mnt')]);
    isToldEachTime(['umount', at('mnt')]);
  }, 600_000);

  it('names the thread, file or program of a shell', () => isToldEachTime(['shell', 'true'], NAMED), 600_000);
});
