// Claim S19 of docs/security.md: memory in /dev/shm, a directory that everybody may write to. (test/machine/emulated/ram.test.ts has the rest.)
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openMachine } from '../../src/machine/index.js';

const isRoot = process.getuid?.() === 0;
let directory: string;
let root: string;
let memory: string;

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-ram-'));
  root = path.join(directory, 'state');
  const before = process.umask(0);
  const machine = openMachine(root, { create: true });
  memory = machine.createRegion({ size: '2MiB', ram: true }).backing.path;
  machine.close();
  process.umask(before);
});
afterEach(() => {
  fs.rmSync(memory, { force: true });
  fs.rmSync(directory, { recursive: true, force: true });
});

/** The code of using the memory. */
function useIt(): string {
  const machine = openMachine(root);
  try {
    machine.openDax('dax0.0', { writable: true }).mmap({ writable: true })[0] = 1;
    return '';
  } catch (error) {
    return (error as { code: string }).code;
  } finally {
    machine.close();
  }
}

describe('memory in /dev/shm', () => {
  it('S19: is for its owner alone, whatever the umask, under a name that cannot be foreseen', () => {
    expect(fs.statSync(memory).mode & 0o7777).toBe(0o600);
    expect(memory).toMatch(/-[0-9a-f]{16}\.mem$/);
    expect(useIt()).toBe('');
  });

  it('S19: a link in its place is not followed, and what it leads to is not written', () => {
    const target = path.join(directory, 'target');
    fs.writeFileSync(target, Buffer.alloc(2 * 2 ** 20));
    fs.rmSync(memory);
    fs.symlinkSync(target, memory);
    expect(useIt()).toBe('ENXIO');
    expect(fs.readFileSync(target).some((byte) => byte !== 0)).toBe(false);
    const machine = openMachine(root);
    expect(machine.region(0).backing.problem).toBeTruthy();
    machine.destroyRegion(0, { force: true });
    machine.close();
    expect(fs.existsSync(target)).toBe(true);
    expect(fs.readlinkSync(memory)).toBe(target);
  });

  it.skipIf(!isRoot)(
    `S19: a file of somebody else in its place is refused${isRoot ? '' : ' (skipped: needs root)'}`,
    () => {
      fs.chownSync(memory, 4711, 4711);
      expect(useIt()).toBe('ENXIO');
      expect(fs.readFileSync(memory)[0]).toBe(0);
    },
  );
});
