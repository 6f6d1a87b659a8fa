// What went wrong: openMachine('./typo') and mountFamfs('dax0.0') made a machine silently. Right: making must be asked for, and
// openVolume(root, { size }) finds or makes everything in one call.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { mountFamfs, openDevice, openMachine, openVolume, type Volume } from '../src/index.js';

function directory(): string {
  const made = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-open-'));
  onTestFinished(() => fs.rmSync(made, { recursive: true, force: true }));
  return made;
}

function opened(...args: Parameters<typeof openVolume>): Volume {
  const volume = openVolume(...args);
  onTestFinished(() => volume.close());
  return volume;
}

function errorOf(act: () => unknown): Error & { code?: string } {
  try {
    act();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

describe('a machine that is not there', () => {
  it('is ENOENT naming the directory and the next step, and nothing is made', () => {
    const root = path.join(directory(), 'typo');
    for (const act of [
      () => openMachine(root),
      () => openDevice('dax0.0', { root }),
      () => openVolume(root),
    ]) {
      const error = errorOf(act);
      expect(error.code).toBe('ENOENT');
      expect(error.message).toContain(root);
      expect(error.message).toContain('create: true');
    }
    expect(fs.existsSync(root)).toBe(false);
  });

  it("is not made by mountFamfs('dax0.0')", () => {
    const root = path.join(directory(), 'state');
    const before = process.env.UDAX_ROOT;
    process.env.UDAX_ROOT = root;
    try {
      expect(errorOf(() => mountFamfs('dax0.0')).code).toBe('ENOENT');
    } finally {
      if (before === undefined) delete process.env.UDAX_ROOT;
      else process.env.UDAX_ROOT = before;
    }
    expect(fs.existsSync(root)).toBe(false);
  });

  it('is made when asked for, and found without asking', () => {
    const root = path.join(directory(), 'state');
    openMachine(root, { create: true }).close();
    const machine = openMachine(root);
    expect(machine.devices()).toEqual([]);
    machine.close();
  });

  it('is completed when its lock was lost', () => {
    const root = path.join(directory(), 'state');
    openMachine(root, { create: true }).close();
    fs.rmSync(path.join(root, 'machine.lock'));
    openMachine(root).close();
    expect(fs.existsSync(path.join(root, 'machine.lock'))).toBe(true);
  });
});

describe('openVolume', () => {
  it('makes machine, region, famfs mode and file system, and finds them again', () => {
    const root = path.join(directory(), 'pool');
    const made = openVolume(root, { size: '64MiB' });
    made.create('/a', { size: 5 }).write(Buffer.from('hello'), 0);
    made.close();
    const found = opened(root);
    expect(found.readdir('/')).toEqual(['a']);
    expect([found.role, found.device]).toEqual(['master', 'dax0.0']);
    const again = opened(root, { size: '128MiB' });
    expect(again.statfs().size).toBe(64 * 2 ** 20);
  });

  it('closes its machine with the volume', () => {
    const root = path.join(directory(), 'pool');
    const volume = openVolume(root, { size: '32MiB' });
    const machine = openMachine(root);
    onTestFinished(() => machine.close());
    expect(machine.holders('dax0.0')).toHaveLength(1);
    volume.close();
    expect(machine.holders()).toEqual([]);
  });

  it('keeps other devices, takes the one that is named, and says what is missing', () => {
    const root = path.join(directory(), 'pool');
    const machine = openMachine(root, { create: true });
    machine.createRegion({ size: '32MiB' });
    machine.createRegion({ size: '32MiB' });
    machine.reconfigure('dax1.0', 'famfs');
    machine.close();
    expect(opened(root).device).toBe('dax1.0');
    expect(errorOf(() => openVolume(root, { name: 'dax0.0' })).code).toBe('ENXIO');
    expect(errorOf(() => openVolume(root, { name: 'dax7.0' })).code).toBe('ENODEV');
    const empty = path.join(directory(), 'empty');
    openMachine(empty, { create: true }).close();
    const error = errorOf(() => openVolume(empty));
    expect(error.code).toBe('EINVAL');
    expect(error.message).toContain('size');
  });

  it('makes no file system where it only reads', () => {
    const root = path.join(directory(), 'pool');
    const machine = openMachine(root, { create: true });
    machine.createRegion({ size: '32MiB' });
    machine.reconfigure('dax0.0', 'famfs');
    machine.close();
    expect(errorOf(() => openVolume(root, { readOnly: true })).code).toBe('EINVAL');
  });

  it('leaves nothing open when it fails, nor a region when it does not fit', () => {
    const root = path.join(directory(), 'pool');
    expect(errorOf(() => openVolume(root, { size: 12345 })).code).toBe('EINVAL');
    const machine = openMachine(root);
    onTestFinished(() => machine.close());
    expect(machine.regions()).toEqual([]);
  });

  it('is one volume when four processes make it at once', async () => {
    const root = path.join(directory(), 'pool');
    const face = new URL('../dist/index.js', import.meta.url).href;
    const code = `import { openVolume } from ${JSON.stringify(face)};
      const volume = openVolume(${JSON.stringify(root)}, { size: '64MiB', lockWaitMs: 30000 });
      volume.mkdir('/' + process.argv[1]);
      volume.close();`;
    const ends = [0, 1, 2, 3].map(async (number) => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', code, String(number)], {
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      return (await once(child, 'close'))[0];
    });
    expect(await Promise.all(ends)).toEqual([0, 0, 0, 0]);
    const machine = openMachine(root);
    onTestFinished(() => machine.close());
    expect(machine.regions()).toHaveLength(1);
    expect(opened(root).readdir('/')).toEqual(['0', '1', '2', '3']);
  });
});
