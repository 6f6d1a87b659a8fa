// What went wrong: EBUSY depended on names. With dax0.0 mounted, mkfs and take-over of ROOT/regions/0.mem went ahead, and a
// second machine took that file as its own backing. Right: the use lock lies on the memory, whatever name it is opened by.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { mkfs, takeOver } from '../../src/index.js';
import { type Machine, openDevice } from '../../src/machine/index.js';
import {
  Child,
  canMountTmpfs,
  codeOf,
  errorOf,
  MiB,
  temporaryDirectory,
  temporaryMachine,
} from './support.js';

const OTHER_HOST = '11111111-1111-4111-8111-111111111111';

/** A famfs whose device another process holds as a mount does. */
async function mounted(): Promise<{ machine: Machine; memory: string; child: Child }> {
  const machine = temporaryMachine();
  machine.createRegion({ size: '32MiB' });
  machine.reconfigure('dax0.0', 'famfs');
  mkfs(machine.device('dax0.0'));
  const child = new Child('hold', [machine.root, 'dax0.0', 'mount']);
  await child.answer();
  return { machine, memory: path.join(machine.root, 'regions', '0.mem'), child };
}

/** A file for two regions, one half each. */
function fileOf(bytes: number): string {
  const file = path.join(temporaryDirectory(), 'memory');
  fs.writeFileSync(file, '');
  fs.truncateSync(file, bytes);
  return file;
}

function famfsOver(file: string, offset = 0): Machine {
  const machine = temporaryMachine();
  machine.createRegion({ size: '32MiB', backing: file, offset });
  machine.reconfigure('dax0.0', 'famfs');
  return machine;
}

/** Uses the mounted memory by another name. Nothing changes a byte of it, and the error names the process that has it. */
function refusedUnder(name: string, pid: number): void {
  const before = fs.readFileSync(name);
  // With the patience of a command: on a busy machine the search for the holder takes longer.
  const device = openDevice(name, { root: temporaryDirectory(), lockWaitMs: 5000 });
  onTestFinished(() => device.close());
  for (const act of [
    () => mkfs(device, { force: true }),
    () => takeOver(device, { force: true, systemUuid: OTHER_HOST }),
  ]) {
    const error = errorOf(act);
    expect(error).toMatchObject({ code: 'EBUSY' });
    expect(error.message).toContain(`pid ${pid}`);
  }
  expect(fs.readFileSync(name).equals(before)).toBe(true);
}

describe('memory that is mounted', () => {
  it("is refused to mkfs and take-over under its file's name, and names the process", async () => {
    const { memory, child } = await mounted();
    refusedUnder(memory, child.pid);
    await child.killHard();
    expect(mkfs(memory, { force: true })).not.toBeNull();
  });

  it('is refused under a hard link, a symbolic link and a descriptor', async () => {
    const { machine, memory, child } = await mounted();
    const hard = path.join(machine.root, 'hard');
    const soft = path.join(machine.root, 'soft');
    fs.linkSync(memory, hard);
    fs.symlinkSync(memory, soft);
    const fd = fs.openSync(memory, 'r+');
    try {
      for (const name of [hard, soft, `/proc/self/fd/${fd}`]) refusedUnder(name, child.pid);
    } finally {
      fs.closeSync(fd);
    }
  });

  it.skipIf(!canMountTmpfs)('is refused under a bind mount (needs root to mount)', async () => {
    const { machine, child } = await mounted();
    const other = temporaryDirectory();
    expect(spawnSync('mount', ['--bind', machine.root, other]).status).toBe(0);
    try {
      refusedUnder(path.join(other, 'regions', '0.mem'), child.pid);
    } finally {
      spawnSync('umount', ['-l', other]);
    }
  });

  it('is not taken away by the destruction of its region, also when it is mounted by name of its file alone', async () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '32MiB' });
    machine.reconfigure('dax0.0', 'famfs');
    const memory = path.join(machine.root, 'regions', '0.mem');
    mkfs(memory);
    const child = new Child('image', [temporaryDirectory(), memory, 'mount']);
    expect(await child.answer()).toMatchObject({ ok: true });
    const error = errorOf(() => machine.destroyRegion(0, { force: true }));
    expect(error).toMatchObject({ code: 'EBUSY' });
    expect(error.message).toContain(`pid ${child.pid}`);
    expect(fs.existsSync(memory)).toBe(true);
    await child.killHard();
    machine.destroyRegion(0);
    expect(fs.existsSync(memory)).toBe(false);
  });

  it('is not taken away either where no device is over it', async () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '32MiB' });
    machine.disable('dax0.0');
    machine.destroyDevice('dax0.0');
    const memory = path.join(machine.root, 'regions', '0.mem');
    const child = new Child('image', [temporaryDirectory(), memory, 'mount']);
    expect(await child.answer()).toMatchObject({ ok: true });
    expect(codeOf(() => machine.destroyRegion(0, { force: true }))).toBe('EBUSY');
  });

  it('can be destroyed with force by the process that alone has it', () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '2MiB' });
    const view = machine.openDax('dax0.0').mmap();
    expect(codeOf(() => machine.destroyRegion(0))).toBe('EBUSY');
    machine.destroyRegion(0, { force: true });
    expect(view.length).toBe(0);
    expect(fs.readdirSync(path.join(machine.root, 'regions'))).toEqual([]);
  });
});

describe('two machines over one file', () => {
  it('mount it both, and either may be reconfigured while the other is mounted', () => {
    const file = fileOf(32 * MiB);
    const [one, two] = [famfsOver(file), famfsOver(file)];
    const holds = [one, two].map((machine) => machine.device('dax0.0').hold('mount'));
    expect(codeOf(() => mkfs(one.device('dax0.0')))).toBe('EBUSY');
    holds[0]!.release();
    const error = errorOf(() => mkfs(one.device('dax0.0'), { force: true }));
    expect(error).toMatchObject({ code: 'EBUSY' });
    expect(error.message).toContain(`pid ${process.pid}`);
    expect(one.reconfigure('dax0.0', 'devdax').mode).toBe('devdax');
    one.destroyRegion(0);
    holds[1]!.release();
    expect(mkfs(two.device('dax0.0'))).not.toBeNull();
  });

  it('do not meet when their regions are other bytes of it', () => {
    const file = fileOf(64 * MiB);
    const [one, two] = [famfsOver(file), famfsOver(file, 32 * MiB)];
    const hold = one.device('dax0.0').hold('mount');
    expect(mkfs(two.device('dax0.0'))).not.toBeNull();
    expect(codeOf(() => mkfs(file, { force: true }))).toBe('EBUSY');
    hold.release();
    mkfs(file, { force: true });
  });

  it('keep each other from having it as system-ram while it is mounted, and from mounting it while buffers live', async () => {
    const file = fileOf(128 * MiB);
    const [one, two] = [temporaryMachine(), temporaryMachine()];
    for (const machine of [one, two]) {
      machine.createRegion({ size: '128MiB', backing: file, sparse: true, targetNode: 4 });
      machine.reconfigure('dax0.0', 'famfs');
    }
    const hold = one.device('dax0.0').hold('mount');
    two.reconfigure('dax0.0', 'devdax');
    expect(codeOf(() => two.reconfigure('dax0.0', 'system-ram'))).toBe('EBUSY');
    expect(two.deviceInfo('dax0.0').mode).toBe('devdax');
    hold.release();
    two.reconfigure('dax0.0', 'system-ram');
    const child = new Child('allocate', [two.root, '4']);
    await child.answer();
    const error = errorOf(() => one.device('dax0.0').hold('mount'));
    expect(error).toMatchObject({ code: 'EBUSY' });
    expect(error.message).toContain(`pid ${child.pid}`);
    const third = temporaryMachine();
    expect(codeOf(() => third.createRegion({ size: '128MiB', backing: file, sparse: true }))).toBe('EBUSY');
    expect(third.regions()).toEqual([]);
    await child.killHard();
    one.device('dax0.0').hold('mount').release();
  });
});

describe("a machine's own memory under another machine", () => {
  it('is no system-ram there while it is in famfs mode here, nor mounted there while it is system-ram here', () => {
    const owner = temporaryMachine();
    owner.createRegion({ size: '128MiB', sparse: true });
    owner.reconfigure('dax0.0', 'famfs');
    const memory = path.join(owner.root, 'regions', '0.mem');
    const other = temporaryMachine();
    other.createRegion({ size: '128MiB', backing: memory, sparse: true });
    const error = errorOf(() => other.reconfigure('dax0.0', 'system-ram'));
    expect(error).toMatchObject({ code: 'EBUSY' });
    expect(error.message).toContain(owner.root);
    other.destroyRegion(0);
    owner.reconfigure('dax0.0', 'devdax');
    owner.reconfigure('dax0.0', 'system-ram');
    expect(codeOf(() => other.createRegion({ size: '128MiB', backing: memory, sparse: true }))).toBe('EBUSY');
    const image = openDevice(memory, { root: temporaryDirectory() });
    onTestFinished(() => image.close());
    expect(codeOf(() => image.hold('mount'))).toBe('EBUSY');
  });
});

describe('devices of one region', () => {
  it('are used apart: one is mounted, another is formatted', () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '64MiB' });
    machine.disable('dax0.0');
    machine.destroyDevice('dax0.0');
    const [one, two] = [0, 1].map(() => machine.createDevice(0, { size: '32MiB' }).name);
    for (const name of [one!, two!]) machine.reconfigure(name, 'famfs');
    const hold = machine.device(one!).hold('mount');
    expect(mkfs(machine.device(two!))).not.toBeNull();
    expect(machine.disable(two!).state).toBe('disabled');
    hold.release();
  });
});
