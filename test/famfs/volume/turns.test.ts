// Incident: of four processes that create files of one volume as fast as they can, one got EBUSY: the log is locked by another, "which does
// not go on (stopped?)". It did go on, and took the lock again and again; who sleeps between two attempts may miss every moment in between.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createArena, openArena } from '../../../src/arena/index.js';
import { mkfs, openMachine, openVolume } from '../../../src/index.js';
import { packageRoot } from '../../../src/libc/package-root.js';

const PROCESSES = 6;
let root: string;

beforeEach(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'udax-crowd-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Runs a program with `udax`, `arena`, `root` and `me` in that many processes at once. @returns what went wrong */
async function crowd(program: string): Promise<string[]> {
  const dist = path.join(packageRoot(), 'dist');
  const text = `import * as udax from ${JSON.stringify(`${dist}/index.js`)};
    import * as arena from ${JSON.stringify(`${dist}/arena/index.js`)};
    const [root, me] = process.argv.slice(-2); ${program}`;
  const outcomes = Array.from({ length: PROCESSES }, async (_, me) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', text, root, String(me)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', (data) => (stderr += data));
    const [code] = await once(child, 'close');
    return code === 0 ? '' : stderr;
  });
  return (await Promise.all(outcomes)).filter((text) => text !== '');
}

describe('processes that take one lock as fast as they can', () => {
  it('all create their files', async () => {
    const machine = openMachine(root, { create: true });
    machine.createRegion({ size: '24GiB', sparse: true });
    machine.reconfigure('dax0.0', 'famfs');
    mkfs(machine.device('dax0.0'));
    machine.close();
    const failed = await crowd(`
      const machine = udax.openMachine(root);
      const volume = udax.mountFamfs(machine.device('dax0.0'));
      for (let i = 0; i < 1500; i++) volume.create('/f-' + me + '-' + i, { size: 4096, zero: false }).close();
      volume.close(); machine.close();`);
    expect(failed).toEqual([]);
    const volume = openVolume(root);
    expect(volume.readdir('/').length).toBe(PROCESSES * 1500);
    volume.close();
  });

  it('all put their objects into an arena', async () => {
    const volume = openVolume(root, { size: '256MiB' });
    createArena(volume, '/kv', { size: 2 ** 27, slots: 100_000, members: 16 });
    const failed = await crowd(`
      const machine = udax.openMachine(root);
      const volume = udax.mountFamfs(machine.device('dax0.0'));
      const kv = arena.openArena(volume, '/kv');
      for (let i = 0; i < 10000; i++) kv.put('k-' + me + '-' + i, Buffer.from('value'));
      kv.close(); volume.close(); machine.close();`);
    expect(failed).toEqual([]);
    const kv = openArena(volume, '/kv');
    expect(kv.stats().objects).toBe(PROCESSES * 10_000);
    kv.close();
    volume.close();
  });
});
