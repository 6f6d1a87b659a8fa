/**
 * Incident: the first change under a second name of a state directory (symbolic link, bind mount, another path after a rename, a
 * copy) deleted regions/0.mem with all files, because the sweep compared path strings. Right: the directory itself tells what
 * belongs to it, by relative names and by marks. No comparison of paths leads to a deletion.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openMachine } from '../../src/machine/index.js';
import { Child, canMountTmpfs, codeOf, MiB, temporaryDirectory, temporaryMachine } from './support.js';

const MARK = 0x5a;

/** A machine in famfs mode whose memory has a mark. Another process holds it as a mount does. */
async function inUse(root: string): Promise<void> {
  const machine = openMachine(root, { create: true });
  machine.createRegion({ size: '4MiB' });
  machine.createRegion({ size: '2MiB' });
  const raw = machine.openDax('dax0.0');
  raw.mmap().fill(MARK);
  raw.close();
  machine.reconfigure('dax0.0', 'famfs');
  machine.close();
  await new Child('hold', [root, 'dax0.0']).answer();
}

function memoryOf(root: string): { bytes: number; marked: boolean } {
  const bytes = fs.readFileSync(path.join(root, 'regions', '0.mem'));
  return { bytes: bytes.length, marked: bytes.every((byte) => byte === MARK) };
}

const whole = { bytes: 4 * MiB, marked: true };

/** Makes changes that succeed, and one that is refused. None may touch the memory. */
function useUnderAnotherName(other: string, root: string): void {
  const machine = openMachine(other);
  try {
    expect(codeOf(() => machine.destroyRegion(0, { force: true }))).toBe('EBUSY');
    expect(memoryOf(root)).toEqual(whole);
    machine.reconfigure('dax1.0', 'famfs');
    const { id } = machine.createRegion({ size: '2MiB' });
    machine.destroyRegion(id);
    expect(codeOf(() => machine.reconfigure('dax1.0', 'nonsense' as 'famfs'))).toBe('EINVAL');
    expect(memoryOf(root)).toEqual(whole);
    expect(machine.regions().map(({ backing }) => backing.problem)).toEqual([undefined, undefined]);
  } finally {
    machine.close();
  }
  expect(memoryOf(root)).toEqual(whole);
}

describe('another name of a state directory', () => {
  it('as a symbolic link changes the one machine and loses nothing', async () => {
    const directory = temporaryDirectory();
    const root = path.join(directory, 'state');
    await inUse(root);
    const link = path.join(directory, 'link');
    fs.symlinkSync(root, link);
    useUnderAnotherName(link, root);
    expect(temporaryMachine(root).deviceInfo('dax1.0').mode).toBe('famfs');
  });

  it.skipIf(!canMountTmpfs)(
    'as a bind mount changes the one machine and loses nothing (needs root)',
    async () => {
      const directory = temporaryDirectory();
      const root = path.join(directory, 'state');
      await inUse(root);
      const bound = path.join(directory, 'bound');
      fs.mkdirSync(bound);
      expect(spawnSync('mount', ['--bind', root, bound]).status).toBe(0);
      onTestFinished(() => void spawnSync('umount', [bound]));
      useUnderAnotherName(bound, root);
      expect(temporaryMachine(root).deviceInfo('dax1.0').mode).toBe('famfs');
    },
  );

  it('after a rename is the machine, with its memory', async () => {
    const directory = temporaryDirectory();
    await inUse(path.join(directory, 'state'));
    const moved = path.join(directory, 'moved');
    fs.renameSync(path.join(directory, 'state'), moved);
    useUnderAnotherName(moved, moved);
    expect(temporaryMachine(moved).region(0).backing.path).toBe(path.join(moved, 'regions', '0.mem'));
  });

  it('of a copy is a machine of its own, with memory of its own', async () => {
    const directory = temporaryDirectory();
    const root = path.join(directory, 'state');
    const machine = temporaryMachine(root);
    machine.createRegion({ size: '4MiB' });
    machine.openDax('dax0.0').mmap().fill(MARK);
    const copied = path.join(directory, 'copy');
    expect(spawnSync('cp', ['-a', root, copied]).status).toBe(0);
    const copy = temporaryMachine(copied);
    const view = copy.openDax('dax0.0').mmap();
    expect(view[0]).toBe(MARK);
    view.fill(1);
    expect(memoryOf(root)).toEqual(whole);
    copy.destroyRegion(0, { force: true });
    expect(memoryOf(root)).toEqual(whole);
    expect(machine.regions()).toHaveLength(1);
  });

  it('of a copy without its memory says what is missing, and touches nothing of the original', () => {
    const directory = temporaryDirectory();
    const root = path.join(directory, 'state');
    const machine = temporaryMachine(root);
    machine.createRegion({ size: '4MiB' });
    machine.openDax('dax0.0').mmap().fill(MARK);
    const copied = path.join(directory, 'copy');
    expect(spawnSync('cp', ['-a', root, copied]).status).toBe(0);
    fs.rmSync(path.join(copied, 'regions', '0.mem'));
    const copy = temporaryMachine(copied);
    expect(copy.region(0).backing.problem).toMatch(/not there/);
    expect(codeOf(() => copy.openDax('dax0.0').mmap())).toBe('ENOENT');
    copy.destroyRegion(0, { force: true });
    expect(copy.regions()).toEqual([]);
    expect(memoryOf(root)).toEqual(whole);
  });
});

describe('a document that names its memory by absolute path (schema 1)', () => {
  function madeByAnOlderUdax(root: string, memoryPath: string): void {
    const machine = openMachine(root, { create: true });
    machine.createRegion({ size: '4MiB' });
    machine.openDax('dax0.0').mmap().fill(MARK);
    machine.close();
    const file = path.join(root, 'machine.json');
    const document = JSON.parse(fs.readFileSync(file, 'utf8'));
    document.schema = 1;
    document.regions[0].backing.path = memoryPath;
    fs.writeFileSync(file, JSON.stringify(document));
  }

  it('is brought up to date, and the memory stays', () => {
    const root = path.join(temporaryDirectory(), 'state');
    madeByAnOlderUdax(root, path.join(root, 'regions', '0.mem'));
    useAndLook(root);
  });

  it('that was moved finds the memory beside it', () => {
    const root = path.join(temporaryDirectory(), 'state');
    madeByAnOlderUdax(root, '/somewhere/else/regions/0.mem');
    useAndLook(root);
  });

  it('that was copied uses the copy, though the original is still there', () => {
    const directory = temporaryDirectory();
    const original = path.join(directory, 'original');
    madeByAnOlderUdax(original, path.join(original, 'regions', '0.mem'));
    const copy = path.join(directory, 'copy');
    expect(spawnSync('cp', ['-a', original, copy]).status).toBe(0);
    const machine = temporaryMachine(copy);
    machine.openDax('dax0.0').mmap().fill(7);
    machine.createRegion({ size: '2MiB' });
    machine.destroyRegion(0, { force: true });
    expect(memoryOf(original)).toEqual(whole);
  });

  function useAndLook(root: string): void {
    const machine = temporaryMachine(root);
    machine.createRegion({ size: '2MiB' });
    expect(memoryOf(root)).toEqual(whole);
    const { schema, regions } = JSON.parse(fs.readFileSync(path.join(root, 'machine.json'), 'utf8'));
    expect(schema).toBe(2);
    expect(regions.map(({ backing }: { backing: { path: string } }) => backing.path)).toEqual([
      'regions/0.mem',
      'regions/1.mem',
    ]);
  }
});

describe('sweeping', () => {
  it('leaves a marked file alone that somebody has locked', async () => {
    const machine = temporaryMachine();
    const file = path.join(machine.root, 'regions', '3.mem.old');
    fs.writeFileSync(file, Buffer.alloc(2 * MiB, MARK));
    const child = new Child('image', [machine.root, file, 'mount']);
    expect(await child.answer()).toMatchObject({ ok: true });
    machine.createRegion({ size: '2MiB' });
    expect(fs.readFileSync(file)[0]).toBe(MARK);
    child.proceed();
    await child.ended;
    machine.createRegion({ size: '2MiB' });
    expect(fs.existsSync(file)).toBe(false);
  });

  it('leaves a marked name of memory that a region is on', () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '2MiB' });
    const regions = path.join(machine.root, 'regions');
    fs.linkSync(path.join(regions, '0.mem'), path.join(regions, '1.mem.old'));
    machine.createRegion({ size: '2MiB' });
    expect(fs.readdirSync(regions).sort()).toEqual(['0.mem', '1.mem', '1.mem.old']);
  });

  it('gives memory its name back that a killed destruction had marked', () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '2MiB' });
    machine.openDax('dax0.0').mmap().fill(MARK);
    machine.close();
    const memory = path.join(machine.root, 'regions', '0.mem');
    fs.renameSync(memory, `${memory}.old`);
    const again = temporaryMachine(machine.root);
    const raw = again.openDax('dax0.0');
    expect(raw.mmap()[0]).toBe(MARK);
    raw.close();
    again.createRegion({ size: '2MiB' });
    expect(fs.readFileSync(memory)[0]).toBe(MARK);
  });
});
