/** udax rm, mv, truncate and compact: what they do, say and refuse, as a user runs them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { takeOver } from '../../src/index.js';
import { goldenImage, temporaryDirectory, udax } from './support/udax.js';

let directory: ReturnType<typeof temporaryDirectory>;
const HOST = '11111111-2222-4333-8444-555555555555';

beforeAll(() => {
  directory = temporaryDirectory();
});
afterAll(() => directory.remove());

/** A machine with a few files on dax0.0. */
function machine(name: string): string {
  const root = join(directory.path, name);
  const source = join(directory.path, `${name}.txt`);
  writeFileSync(source, 'hello');
  for (const words of [
    ['create-region', '-s', '64MiB'],
    ['reconfigure-device', '-m', 'famfs', 'dax0.0'],
    ['mkfs', 'dax0.0'],
    ['mkdir', '-p', 'dax0.0:/d/e'],
    ['cp', source, 'dax0.0:/d/a'],
    ['cp', source, 'dax0.0:/b'],
  ]) {
    expect(udax(root, ...words)).toMatchObject({ status: 0 });
  }
  return root;
}

const names = (root: string) => {
  const { stdout } = udax(root, '--json', 'ls', '-lR', 'dax0.0:/');
  return (JSON.parse(stdout) as { path: string }[]).map(({ path }) => path).sort();
};

describe('rm, mv, truncate and compact', () => {
  it('change names and sizes at rest, and say what came back', () => {
    const root = machine('changes');
    const dry = udax(root, 'rm', '-r', '--dry-run', 'dax0.0:/d');
    expect(dry).toMatchObject({ status: 0, stderr: '' });
    expect(dry.stdout).toMatch(
      /^dax0\.0: 1 file and 2 directories would be removed, 2 MiB freed; 52 MiB and/,
    );
    expect(names(root)).toEqual(['/b', '/d', '/d/a', '/d/e']);

    const refused = udax(root, 'rm', 'dax0.0:/b', 'dax0.0:/d');
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(
      /\/d is a directory .*\(ENOTEMPTY\)\nTry: udax --root .* rm -r DEVICE:\/d\n/,
    );
    expect(names(root)).toEqual(['/b', '/d', '/d/a', '/d/e']);

    expect(udax(root, 'mv', 'dax0.0:/b', 'dax0.0:/d')).toMatchObject({ status: 0 });
    expect(udax(root, 'mv', 'dax0.0:/d/a', 'dax0.0:/d/b', 'dax0.0:/d/e/').status).toBe(0);
    expect(names(root)).toEqual(['/d', '/d/e', '/d/e/a', '/d/e/b']);
    expect(udax(root, 'cat', 'dax0.0:/d/e/b').stdout).toBe('hello');

    const longer = udax(root, '--json', 'truncate', '-s', '5M', 'dax0.0:/d/e/a');
    expect(JSON.parse(longer.stdout)).toMatchObject({ changed: true, resized: 1, freedBytes: -2 * 2 ** 21 });
    expect(udax(root, 'truncate', '-s', '0', 'dax0.0:/d/e/a').stderr).toMatch(/\(EINVAL\)/);
    expect(udax(root, 'compact', 'dax0.0').stdout).toMatch(/nothing to take back/);
    expect(udax(root, 'compact', '--defragment', 'dax0.0')).toMatchObject({ status: 0 });
    expect(udax(root, 'rm', '-r', 'dax0.0:/d').stdout).toMatch(/2 files and 2 directories removed/);
    expect(names(root)).toEqual([]);
    expect(udax(root, 'fsck', 'dax0.0')).toMatchObject({ status: 0 });
  });

  it('are wrong usage without what they need', () => {
    const root = machine('usage');
    for (const words of [
      ['rm'],
      ['rm', '/local'],
      ['mv', 'dax0.0:/b'],
      ['mv', 'dax0.0:/b', 'dax1.0:/b'],
      ['truncate', 'dax0.0:/b'],
      ['compact', 'dax0.0:/b'],
    ]) {
      expect([words, udax(root, ...words).status]).toEqual([words, 2]);
    }
    expect(names(root)).toEqual(['/b', '/d', '/d/a', '/d/e']);
  });

  it('compact takes over a golden image that has no damage without a change, and one with damage when told to drop it', () => {
    const root = join(directory.path, 'golden');
    const good = goldenImage('02-small-tree', directory.path).file;
    takeOver(good, { systemUuid: HOST, force: true });
    const listed = udax(root, 'ls', '-lR', `${good}:/`).stdout;
    expect(udax(root, 'compact', good)).toMatchObject({ status: 0 });
    expect(udax(root, 'ls', '-lR', `${good}:/`).stdout).toBe(listed);

    const bad = goldenImage('28-absolute-path', directory.path).file;
    takeOver(bad, { systemUuid: HOST, force: true });
    const refused = udax(root, 'compact', bad);
    expect(refused).toMatchObject({ status: 1 });
    expect(refused.stderr).toMatch(/damaged.*\(EBADMSG\)/);
    expect(udax(root, 'fsck', bad).status).toBe(1);
    const seen = udax(root, 'ls', '-lR', `${bad}:/`).stdout;
    const dropped = udax(root, 'compact', '--drop-damaged', bad);
    expect(dropped).toMatchObject({ status: 0 });
    expect(udax(root, 'fsck', bad).status).toBe(0);
    expect(udax(root, 'ls', '-lR', `${bad}:/`).stdout).toBe(seen);
  });
});
