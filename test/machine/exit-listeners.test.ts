/**
 * Incident: one 'exit' listener for each handle gave a MaxListenersExceededWarning at the eleventh. Right: a fixed number of
 * listeners for the process.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const dist = JSON.stringify(resolve(import.meta.dirname, '../../dist/index.js'));

/** Makes machines, each with a volume, a mapped file, a raw device and a watch; all are open at once. */
const script = `
  import { join } from 'node:path';
  const { mkfs, mountFamfs, openMachine } = await import(${dist});
  const counts = new Set();
  const kept = [];
  for (let i = 0; i < 15; i++) {
    const machine = openMachine(join(process.argv[1], String(i)), { create: true });
    machine.createRegion({ size: '64MiB', sparse: true });
    machine.createRegion({ size: '64MiB', sparse: true });
    machine.reconfigure('dax0.0', 'famfs');
    mkfs(machine.device('dax0.0'));
    const volume = mountFamfs(machine.device('dax0.0'));
    const file = volume.create('/f', { size: 4096 });
    const watch = volume.watch();
    watch.next().catch(() => {});
    kept.push(machine, volume, file, file.map(), machine.device('dax1.0'), watch);
    counts.add(process.listenerCount('exit'));
  }
  console.log([...counts].join());
  process.exit();
`;

describe('many machines and volumes in one process', () => {
  it('add no listener of the process each, and give no warning', () => {
    const directory = mkdtempSync(join(tmpdir(), 'udax-listeners-'));
    try {
      const { stdout, stderr, status } = spawnSync(
        process.execPath,
        ['--input-type=module', '-e', script, directory],
        { encoding: 'utf8' },
      );
      expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
      expect(stdout).toMatch(/^[1-5]\n$/);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
