// What went wrong: every use made a holder file and every change a new document, so on a full or read-only file system ls, cat,
// fsck, disable and destroy all failed. Right: a use is a lock on the existing memory, and space for the next document is
// reserved.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { fsck, mkfs, mountFamfs } from '../../../src/index.js';
import { type Machine, openMachine } from '../../../src/machine/index.js';
import { Child, canMountTmpfs, codeOf, errorOf, MiB, temporaryDirectory, withTinyTmpfs } from '../support.js';

const whyNot = canMountTmpfs ? '' : ' (needs root to mount)';

/** Fills the file system until neither a byte nor an empty file fits. */
function fillUp(directory: string): void {
  for (let size = MiB; size >= 1; size = Math.floor(size / 16)) {
    try {
      for (let i = 0; ; i++)
        fs.writeFileSync(path.join(directory, `filler-${size}-${i}`), Buffer.alloc(size));
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' });
    }
  }
}

function withOneFile(root: string): Machine {
  const machine = openMachine(root, { create: true, lockWaitMs: 30_000 });
  machine.createRegion({ size: '32MiB' });
  machine.reconfigure('dax0.0', 'famfs');
  mkfs(machine.device('dax0.0'));
  const volume = mountFamfs(machine.device('dax0.0'));
  volume.create('/a', { size: 5 }).write(Buffer.from('hello'), 0);
  volume.close();
  return machine;
}

/** Reads everything as another process would: with a newly opened machine. */
function readAll(root: string): void {
  const machine = openMachine(root);
  try {
    expect(machine.devices()).toHaveLength(1);
    const volume = mountFamfs(machine.device('dax0.0'));
    try {
      expect(volume.readdir('/')).toEqual(['a']);
      const bytes = new Uint8Array(5);
      volume.open('/a').read(bytes, 0);
      expect(Buffer.from(bytes).toString()).toBe('hello');
      expect(volume.statfs().files).toBe(1);
    } finally {
      volume.close();
    }
    expect(fsck(machine.device('dax0.0')).errors).toEqual([]);
    expect(machine.status().poison).toEqual([]);
  } finally {
    machine.close();
  }
}

describe.skipIf(!canMountTmpfs)(`a machine whose file system is full${whyNot}`, () => {
  it('is read, and given up, without a new file', () => {
    withTinyTmpfs(40 * MiB, (directory) => {
      const root = path.join(directory, 'state');
      const machine = withOneFile(root);
      try {
        fillUp(directory);
        readAll(root);
        expect(machine.disable('dax0.0').state).toBe('disabled');
        expect(machine.enable('dax0.0').mode).toBe('devdax');
        expect(machine.disable('dax0.0').state).toBe('disabled');
        machine.destroyRegion(0);
        expect(fs.readdirSync(path.join(root, 'regions'))).toEqual([]);
        expect(openMachine(root).regions()).toEqual([]);
      } finally {
        machine.close();
      }
    });
  });

  it('still knows and names who has a device', async () => {
    const directory = temporaryDirectory();
    expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=40M', 'udax-test', directory]).status).toBe(0);
    const root = path.join(directory, 'state');
    const machine = withOneFile(root);
    try {
      fillUp(directory);
      const child = new Child('hold', [root, 'dax0.0', 'mount']);
      await child.answer();
      expect(fs.readdirSync(path.join(root, 'holders'))).toEqual([]);
      const error = errorOf(() => machine.disable('dax0.0', { force: true }));
      expect(error).toMatchObject({ code: 'EBUSY' });
      expect(error.message).toContain(`pid ${child.pid}`);
      expect(codeOf(() => mkfs(machine.device('dax0.0'), { force: true }))).toBe('EBUSY');
      expect(machine.holders('dax0.0')).toMatchObject([{ pid: child.pid, device: 'dax0.0' }]);
      await child.killHard();
      expect(machine.holders()).toEqual([]);
      expect(machine.disable('dax0.0').state).toBe('disabled');
    } finally {
      machine.close();
      spawnSync('umount', ['-l', directory]);
    }
  });
});

describe.skipIf(!canMountTmpfs)(`a machine on a read-only file system${whyNot}`, () => {
  it('is read; a change is EROFS; who has a device is known', async () => {
    const directory = temporaryDirectory();
    expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64M', 'udax-test', directory]).status).toBe(0);
    const root = path.join(directory, 'state');
    try {
      withOneFile(root).close();
      expect(spawnSync('mount', ['-o', 'remount,ro', directory]).status).toBe(0);
      readAll(root);
      const child = new Child('hold', [root, 'dax0.0', 'mount']);
      await child.answer();
      const machine = openMachine(root, { lockWaitMs: 5000 });
      try {
        expect(machine.holders('dax0.0')).toMatchObject([{ pid: child.pid }]);
        expect(codeOf(() => machine.disable('dax0.0'))).toBe('EROFS');
      } finally {
        machine.close();
      }
    } finally {
      spawnSync('umount', ['-l', directory]);
    }
  });
});
