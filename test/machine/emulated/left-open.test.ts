import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mkfs, mountFamfs, openMachine } from '../../../src/index.js';

const dist = path.resolve(import.meta.dirname, '../../../dist/index.js');
const built = fs.existsSync(dist);

/** Handles are dropped in a separate process, where the garbage collector can be called. */
describe.skipIf(!built)(
  `handles dropped without close()${built ? '' : ' (skipped: needs npm run build)'}`,
  () => {
    let root: string;
    beforeEach(() => {
      root = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-left-'));
      const machine = openMachine(root, { create: true });
      for (const _ of [0, 1]) machine.createRegion({ size: '64MiB', sparse: true });
      machine.reconfigure('dax0.0', 'famfs');
      mkfs(machine.device('dax0.0'));
      const volume = mountFamfs(machine.device('dax0.0'));
      volume.create('/a', { size: 4096 }).close();
      volume.close();
      machine.close();
    });
    afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

    /** Runs `use`, keeps what it returns, drops everything else and collects. Returns what is still open below the root. */
    function leftBy(use: string, environment: Record<string, string> = {}) {
      const script = `
import fs from 'node:fs';
const { openMachine, mountFamfs } = await import(${JSON.stringify(dist)});
const root = ${JSON.stringify(root)};
const links = fs.readdirSync.bind(null, '/proc/self/fd');
const open = () => links().flatMap((fd) => { try { return [fs.readlinkSync('/proc/self/fd/' + fd)]; } catch { return []; } })
  .filter((file) => file.startsWith(root)).map((file) => file.slice(root.length + 1).split('/')[0]).sort();
const mapped = () => fs.readFileSync('/proc/self/maps', 'utf8').includes(root);
function use() { ${use} }
const kept = use();
for (let round = 0; round < 30 && (open().length > 0 || mapped()); round++) {
  gc();
  await new Promise((resolve) => setTimeout(resolve, 10));
}
console.log(JSON.stringify({ open: open(), mapped: mapped(), holders: fs.readdirSync(root + '/holders').length, kept: kept?.length }));`;
      const { stdout, stderr } = spawnSync(
        process.execPath,
        ['--expose-gc', '--input-type=module', '-e', script],
        { encoding: 'utf8', timeout: 150_000, env: { ...process.env, UDAX_DEBUG: '', ...environment } },
      );
      return { ...JSON.parse(stdout || `{"failed":${JSON.stringify(stderr)}}`), stderr };
    }

    const nothing = { open: [], mapped: false, holders: 0 };

    it('a machine: lock, generation word and memory are released', () => {
      expect(leftBy('openMachine(root);')).toMatchObject({ ...nothing, stderr: '' });
    });

    it('a volume with its machine: the device is free again', () => {
      expect(leftBy(`mountFamfs(openMachine(root).device('dax0.0'));`)).toMatchObject(nothing);
    });

    it('a file and its views: nothing stays mapped', () => {
      expect(leftBy(`mountFamfs(openMachine(root).device('dax0.0')).open('/a').map();`)).toMatchObject(
        nothing,
      );
    });

    it('a volume whose machine lives: its hold ends', () => {
      const use = `globalThis.machine = openMachine(root); mountFamfs(machine.device('dax0.0'));`;
      expect(leftBy(use)).toMatchObject({ open: ['machine.json', 'machine.lock', 'regions'], holders: 0 });
    });

    it('a view that lives keeps its device held, and its bytes', () => {
      const use = `return mountFamfs(openMachine(root).device('dax0.0'))`;
      const held = {
        open: ['holders', 'machine.json', 'machine.lock', 'regions', 'regions'],
        mapped: true,
        holders: 1,
      };
      expect(leftBy(`${use}.open('/a').map();`)).toMatchObject({ ...held, kept: 4096 });
      const raw = leftBy(`return openMachine(root).openDax('dax1.0').mmap({ length: 2 ** 21 });`);
      expect(raw).toMatchObject({ holders: 1, mapped: true, kept: 2 ** 21 });
    });

    it('a raw device: free again', () => {
      expect(leftBy(`openMachine(root).openDax('dax1.0').mmap();`)).toMatchObject(nothing);
    });

    it('an image file: its lock ends', () => {
      const image = path.join(root, 'regions', '0.mem');
      expect(leftBy(`mountFamfs(${JSON.stringify(image)}, { readOnly: true });`)).toMatchObject(nothing);
    });

    it('is told in debug mode', () => {
      const { stderr } = leftBy(`mountFamfs(openMachine(root).device('dax0.0'));`, { UDAX_DEBUG: '1' });
      expect(stderr).toContain('dropped without close()');
      expect(stderr).toContain(`machine at ${root}`);
    });

    it('closed handles are no leaks', () => {
      const use = `const machine = openMachine(root); const volume = mountFamfs(machine.device('dax0.0')); volume.open('/a').map();
      volume.close(); machine.close();`;
      expect(leftBy(use, { UDAX_DEBUG: '1' })).toMatchObject({ ...nothing, stderr: '' });
    });
  },
);
