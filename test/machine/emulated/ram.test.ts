import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { mkfs, mountFamfs } from '../../../src/index.js';
import { type Machine, openMachine } from '../../../src/machine/index.js';
import {
  canMountTmpfs,
  codeOf,
  errorOf,
  isRoot,
  MiB,
  temporaryDirectory,
  temporaryMachine,
} from '../support.js';

const built = new URL('../../../dist/index.js', import.meta.url).pathname;

/** A program for another process: the machine at ROOT gets a region in RAM. */
const makeRegion = (root: string, size: string): string[] => [
  '--input-type=module',
  '-e',
  `import { openMachine } from ${JSON.stringify(built)};
   openMachine(${JSON.stringify(root)}, { create: true }).createRegion({ size: '${size}', ram: true });`,
];

/** The memory in /dev/shm of the machine at a root, and what claims it. */
function traces(root: string): { memory: string[]; claims: string[] } {
  const { dev, ino } = fs.statSync(root);
  return {
    memory: fs.readdirSync('/dev/shm').filter((name) => name.startsWith(`udax-${dev}-${ino}-`)),
    claims: fs.readdirSync(path.join(root, 'regions')).filter((name) => name.endsWith('.ram')),
  };
}

/** A machine whose memory in /dev/shm is gone after the test, whatever the test did. */
function ramMachine(root?: string): Machine {
  const machine = temporaryMachine(root);
  const { dev, ino } = fs.statSync(machine.root);
  onTestFinished(() => {
    for (const name of fs.readdirSync('/dev/shm').filter((entry) => entry.startsWith(`udax-${dev}-${ino}-`)))
      fs.rmSync(`/dev/shm/${name}`);
  });
  return machine;
}

describe('a region in RAM', () => {
  it('is a file in /dev/shm with all its space, for its owner alone, that the region names', () => {
    const machine = ramMachine();
    const { backing, size } = machine.createRegion({ size: '4MiB', ram: true });
    expect(backing).toMatchObject({ kind: 'tmpfs', offset: 0, ram: true });
    expect(path.dirname(backing.path)).toBe('/dev/shm');
    const stat = fs.statSync(backing.path);
    expect([size, stat.size, stat.mode & 0o777]).toEqual([4 * MiB, 4 * MiB, 0o600]);
    expect(stat.blocks * 512).toBe(4 * MiB);
  });

  it('holds a file system that another opening of the machine reads', () => {
    const machine = ramMachine();
    machine.createRegion({ size: '64MiB', ram: true });
    machine.reconfigure('dax0.0', 'famfs');
    mkfs(machine.device('dax0.0'));
    const volume = mountFamfs(machine.device('dax0.0'));
    volume.create('/a', { size: 5 }).write(Buffer.from('hello'), 0);
    volume.close();
    const again = openMachine(machine.root);
    const seen = mountFamfs(again.device('dax0.0'));
    const bytes = new Uint8Array(5);
    seen.open('/a').read(bytes, 0);
    seen.close();
    again.close();
    expect(Buffer.from(bytes).toString()).toBe('hello');
  });

  it('is removed with its region', () => {
    const machine = ramMachine();
    const { id, backing } = machine.createRegion({ size: '2MiB', ram: true });
    machine.destroyRegion(id);
    expect(fs.existsSync(backing.path)).toBe(false);
    expect(traces(machine.root)).toEqual({ memory: [], claims: [] });
  });

  it('is not removed under a process that uses it', async () => {
    const machine = ramMachine();
    machine.createRegion({ size: '2MiB', ram: true });
    const program = `import { openMachine } from ${JSON.stringify(built)};
      const held = openMachine(${JSON.stringify(machine.root)}).openDax('dax0.0');
      process.stdout.write('held'); setInterval(() => held.size, 1000);`;
    const user = spawn(process.execPath, ['--input-type=module', '-e', program]);
    onTestFinished(() => void user.kill('SIGKILL'));
    await new Promise((resolve) => user.stdout.once('data', resolve));
    expect(errorOf(() => machine.destroyRegion(0, { force: true }))).toMatchObject({ code: 'EBUSY' });
    expect(traces(machine.root).memory).toHaveLength(1);
  });

  it('refuses bad sizes and a second say about where the memory lies, and leaves nothing', () => {
    const machine = ramMachine();
    expect(codeOf(() => machine.createRegion({ size: 5, ram: true }))).toBe('EINVAL');
    expect(codeOf(() => machine.createRegion({ size: '2MiB', ram: true, backing: '/x' }))).toBe('EINVAL');
    expect(codeOf(() => machine.createRegion({ size: '2MiB', ram: true, sparse: true }))).toBe('EINVAL');
    expect(traces(machine.root)).toEqual({ memory: [], claims: [] });
  });

  it('of more than the host has is ENOSPC that names /dev/shm, and leaves nothing', () => {
    const machine = ramMachine();
    const error = errorOf(() => machine.createRegion({ size: '1000TiB', ram: true }));
    expect(error).toMatchObject({ code: 'ENOSPC', path: '/dev/shm' });
    expect(error.message).toMatch(/choose a smaller size/);
    expect(traces(machine.root)).toEqual({ memory: [], claims: [] });
    expect(machine.regions()).toEqual([]);
  });

  it.skipIf(!canMountTmpfs)(
    `in a full /dev/shm is ENOSPC${canMountTmpfs ? '' : ' (needs root to mount)'}`,
    () => {
      const root = path.join(temporaryDirectory(), 'state');
      const script = 'mount -t tmpfs -o size=8m udax-test /dev/shm && "$@"; code=$?; ls /dev/shm; exit $code';
      const run = spawnSync(
        'unshare',
        ['-m', 'sh', '-c', script, 'sh', process.execPath, ...makeRegion(root, '16MiB')],
        {
          encoding: 'utf8',
        },
      );
      expect(run.stderr).toMatch(/\/dev\/shm has no room for 16777216 bytes/);
      expect([run.status, run.stdout]).toEqual([1, '']);
      expect(traces(root).claims).toEqual([]);
    },
  );
});

describe('memory in /dev/shm that no region has', () => {
  it('is what a killed process left, and the next change removes it', async () => {
    const machine = ramMachine();
    const child = spawn(process.execPath, makeRegion(machine.root, '512MiB'));
    const ended = new Promise((resolve) => child.once('close', resolve));
    // The file is there before the machine knows of it: its space is being allocated.
    while (traces(machine.root).memory.length === 0 && child.exitCode === null)
      await new Promise((resolve) => setTimeout(resolve, 1));
    child.kill('SIGKILL');
    await ended;
    if (machine.regions().length > 0)
      machine.destroyRegion(0); // it was too fast for the kill
    else expect(traces(machine.root).claims).toHaveLength(1);
    machine.createRegion({ size: '2MiB' });
    expect(traces(machine.root)).toEqual({ memory: [], claims: [] });
  });

  it('is removed after a kill between the claim and the memory, and between the end of the memory and its claim', () => {
    const machine = ramMachine();
    fs.writeFileSync(path.join(machine.root, 'regions', '0123456789abcdef.ram'), '');
    machine.createRegion({ size: '2MiB' });
    expect(traces(machine.root).claims).toEqual([]);
  });

  it('of the original stays when a copy of the state directory destroys its region', () => {
    const machine = ramMachine();
    const { backing } = machine.createRegion({ size: '2MiB', ram: true });
    const copy = path.join(temporaryDirectory(), 'copy');
    fs.cpSync(machine.root, copy, { recursive: true });
    const other = openMachine(copy);
    expect(other.region(0).backing.problem).toMatch(/copy/);
    expect(codeOf(() => other.openDax('dax0.0'))).toBe('ENXIO');
    other.destroyRegion(0);
    other.close();
    expect(fs.existsSync(backing.path)).toBe(true);
    expect(machine.region(0).backing.problem).toBeUndefined();
  });

  it('was lost in a restart of the host: the region says so and can be destroyed', () => {
    const machine = ramMachine();
    const { backing } = machine.createRegion({ size: '2MiB', ram: true });
    machine.close();
    fs.rmSync(backing.path);
    const later = temporaryMachine(machine.root);
    expect(later.region(0).backing.problem).toMatch(/is gone/);
    expect(errorOf(() => later.openDax('dax0.0'))).toMatchObject({ code: 'ENXIO' });
    later.destroyRegion(0);
    expect(traces(machine.root)).toEqual({ memory: [], claims: [] });
  });
});

describe.skipIf(!isRoot)(`memory in /dev/shm and other users${isRoot ? '' : ' (needs root)'}`, () => {
  const asUser = (uid: number, gid: number, args: string[]) =>
    spawnSync('setpriv', [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', process.execPath, ...args], {
      encoding: 'utf8',
      env: { ...process.env, HOME: '/nonexistent' },
    });

  it('is refused when a stranger put a file of its name there', () => {
    const machine = ramMachine();
    const { backing } = machine.createRegion({ size: '2MiB', ram: true });
    machine.close();
    fs.chownSync(backing.path, 4711, 4711);
    const later = temporaryMachine(machine.root);
    expect(errorOf(() => later.openDax('dax0.0')).message).toMatch(/user 4711, who has no part/);
  });

  it('is shared with the group that shares the machine, and goes when another of the group destroys it', () => {
    const above = temporaryDirectory();
    fs.chmodSync(above, 0o755);
    const root = path.join(above, 'state');
    fs.mkdirSync(root);
    fs.chownSync(root, 4711, 4800);
    fs.chmodSync(root, 0o2770);
    expect(asUser(4711, 4800, makeRegion(root, '2MiB')).stderr).toBe('');
    const machine = ramMachine(root);
    const { backing } = machine.region(0);
    const stat = fs.statSync(backing.path);
    expect([stat.uid, stat.gid, stat.mode & 0o777]).toEqual([4711, 4800, 0o660]);
    const destroy = `import { openMachine } from ${JSON.stringify(built)};
      openMachine(${JSON.stringify(root)}).destroyRegion(0);`;
    expect(asUser(4712, 4800, ['--input-type=module', '-e', destroy]).stderr).toBe('');
    // Only its owner may unlink it there: the memory is given back at once, the name at the owner's next change.
    expect(fs.statSync(backing.path).size).toBe(0);
    expect(asUser(4711, 4800, makeRegion(root, '2MiB')).stderr).toBe('');
    expect(fs.existsSync(backing.path)).toBe(false);
    machine.destroyRegion(0);
  });
});
