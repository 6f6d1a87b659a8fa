/** `udax create-region --ram`: what people see of memory in /dev/shm. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryDirectory, udax } from './support/udax.js';

let directory: ReturnType<typeof temporaryDirectory>;
const root = () => join(directory.path, 'state');

beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => {
  udax(root(), 'destroy-region', '-f', '0');
  directory.remove();
});

describe('udax create-region --ram', () => {
  it('makes memory in /dev/shm that status names and destroy-region removes', () => {
    const made = JSON.parse(udax(root(), '--json', 'create-region', '--ram', '4M').stdout);
    expect(made).toMatchObject({ size: 4 * 2 ** 20, backing: { ram: true, kind: 'tmpfs' } });
    expect(existsSync(made.backing.path)).toBe(true);
    expect(udax(root(), 'status').stdout).toContain(`${made.backing.path} (RAM)`);
    expect(udax(root(), 'destroy-region', '0').status).toBe(0);
    expect(existsSync(made.backing.path)).toBe(false);
  });

  it('says where the memory is and that a restart ends it', () => {
    expect(udax(root(), 'create-region', '--ram', '2M').stdout).toMatch(
      /memory in \/dev\/shm\/udax-\S+\.mem \(RAM: gone after a restart of the host\)/,
    );
  });

  it('refuses sizes that are none, and -s and -b beside it, as wrong usage that changes nothing', () => {
    for (const words of [
      ['--ram', '0'],
      ['--ram', 'much'],
      ['--ram', '2M', '-s', '2M'],
      ['--ram', '2M', '-b', '/dev/shm/x'],
      [],
    ]) {
      const run = udax(root(), 'create-region', ...words);
      expect([run.status, run.stderr.startsWith('udax: create-region: ')], words.join(' ')).toEqual([
        2,
        true,
      ]);
    }
    expect(existsSync(root())).toBe(false);
  });

  it('is what -b of a file that is not there points to', () => {
    const { status, stderr } = udax(root(), 'create-region', '-s', '2M', '-b', '/dev/shm/not-there');
    expect([status, stderr]).toEqual([1, expect.stringMatching(/--ram 2M instead of -s and -b/)]);
  });
});
