import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { openMachine } from '../../../src/machine/index.js';
import {
  canMountTmpfs,
  codeOf,
  errorOf,
  GiB,
  MiB,
  TiB,
  temporaryDirectory,
  temporaryMachine,
  withTinyTmpfs,
} from '../support.js';

describe('createRegion', () => {
  it('gives a dynamic 2 MiB-aligned device region at 1 TiB with one bound device over all of it', () => {
    const machine = temporaryMachine();
    const region = machine.createRegion({ size: '4MiB' });
    expect(region).toMatchObject({
      id: 0,
      type: 'device',
      static: false,
      hpa: TiB,
      size: 4 * MiB,
      availableSize: 0,
      align: 2 * MiB,
      devices: ['dax0.0'],
    });
    expect(machine.deviceInfo('dax0.0')).toMatchObject({
      mode: 'devdax',
      driver: 'device_dax',
      state: 'enabled',
      size: 4 * MiB,
    });
  });

  it('allocates its default backing, so that a full disk is met now', () => {
    const machine = temporaryMachine();
    const { backing } = machine.createRegion({ size: '4MiB' });
    expect(backing).toMatchObject({ path: path.join(machine.root, 'regions', '0.mem'), offset: 0 });
    const stat = fs.statSync(backing.path);
    expect(stat.size).toBe(4 * MiB);
    expect(stat.blocks * 512).toBeGreaterThanOrEqual(4 * MiB);
  });

  it('takes no space when sparse', () => {
    const machine = temporaryMachine();
    const { backing } = machine.createRegion({ size: '64GiB', sparse: true });
    expect(backing.sparse).toBe(true);
    expect(fs.statSync(backing.path).blocks * 512).toBeLessThan(MiB);
  });

  it('puts regions at 1 GiB multiples and reuses an address only after its region is gone', () => {
    const machine = temporaryMachine();
    const at = [0, 1, 2].map(() => machine.createRegion({ size: '2MiB' }).hpa);
    expect(at).toEqual([TiB, TiB + GiB, TiB + 2 * GiB]);
    machine.destroyRegion(1);
    expect(machine.createRegion({ size: '2GiB', sparse: true })).toMatchObject({ id: 1, hpa: TiB + 3 * GiB });
    expect(machine.createRegion({ size: '2MiB' })).toMatchObject({ id: 3, hpa: TiB + GiB });
  });

  it('numbers the target node after the host and the region, unless told', () => {
    const machine = temporaryMachine();
    const nodes = [{}, {}, { targetNode: 7 }].map(
      (more) => machine.createRegion({ size: '2MiB', ...more }).targetNode,
    );
    expect(nodes[1]).toBe(nodes[0]! + 1);
    expect(nodes[2]).toBe(7);
  });

  it.each([
    ['size 0', { size: 0 }],
    ['a size off the 2 MiB grid', { size: 3 * MiB }],
    ['a size off a 1 GiB align', { size: '1026MiB', align: '1GiB' }],
    ['an align nobody has', { size: '2MiB', align: '64K' }],
    ['an offset without a backing', { size: '2MiB', offset: 4096 }],
    ['a bad target node', { size: '2MiB', targetNode: -2 }],
    ['an unreadable size', { size: 'big' }],
  ])('refuses %s with EINVAL and leaves nothing', (_what, options) => {
    const machine = temporaryMachine();
    expect(codeOf(() => machine.createRegion(options))).toBe('EINVAL');
    expect(machine.regions()).toEqual([]);
    expect(fs.readdirSync(path.join(machine.root, 'regions'))).toEqual([]);
  });

  it('takes a part of a file the user owns, and never removes it', () => {
    const machine = temporaryMachine();
    const file = path.join(temporaryDirectory(), 'mine');
    fs.writeFileSync(file, Buffer.alloc(6 * MiB, 7));
    const region = machine.createRegion({ size: '2MiB', backing: file, offset: 2 * MiB });
    expect(region.backing).toMatchObject({ path: file, offset: 2 * MiB });
    const raw = machine.openDax('dax0.0');
    raw.mmap()[0] = 9;
    raw.close();
    machine.destroyRegion(0);
    const bytes = fs.readFileSync(file);
    expect([bytes.length, bytes[2 * MiB], bytes[2 * MiB + 1]]).toEqual([6 * MiB, 9, 7]);
  });

  it('refuses a backing that is too small with EINVAL, one that is not there with ENOENT, a directory with EISDIR', () => {
    const machine = temporaryMachine();
    const directory = temporaryDirectory();
    const file = path.join(directory, 'small');
    fs.writeFileSync(file, Buffer.alloc(MiB));
    expect(codeOf(() => machine.createRegion({ size: '2MiB', backing: file }))).toBe('EINVAL');
    expect(codeOf(() => machine.createRegion({ size: '2MiB', backing: path.join(directory, 'none') }))).toBe(
      'ENOENT',
    );
    expect(codeOf(() => machine.createRegion({ size: '2MiB', backing: directory }))).toBe('EISDIR');
    expect(machine.regions()).toEqual([]);
  });

  it('refuses bytes that another region already has, also by another name of the file', () => {
    const machine = temporaryMachine();
    const directory = temporaryDirectory();
    const file = path.join(directory, 'mine');
    fs.writeFileSync(file, Buffer.alloc(8 * MiB));
    fs.symlinkSync(file, path.join(directory, 'alias'));
    machine.createRegion({ size: '4MiB', backing: file });
    const error = errorOf(() =>
      machine.createRegion({ size: '4MiB', backing: path.join(directory, 'alias'), offset: 2 * MiB }),
    );
    expect(error.code).toBe('EBUSY');
    expect(error.message).toContain('region 0');
    expect(machine.createRegion({ size: '4MiB', backing: file, offset: 4 * MiB }).id).toBe(1);
  });

  it.skipIf(!canMountTmpfs)(
    'leaves nothing when the disk is full: ENOSPC (needs root to mount a tmpfs)',
    () => {
      withTinyTmpfs(8 * MiB, (directory) => {
        const machine = openMachine(path.join(directory, 'state'), { create: true });
        try {
          machine.createRegion({ size: '2MiB' });
          const before = machine.regions();
          expect(codeOf(() => machine.createRegion({ size: '16MiB' }))).toBe('ENOSPC');
          expect(machine.regions()).toEqual(before);
          expect(fs.readdirSync(path.join(directory, 'state', 'regions'))).toEqual(['0.mem']);
          expect(machine.createRegion({ size: '2MiB' }).id).toBe(1);
        } finally {
          machine.close();
        }
      });
    },
  );

  it.skipIf(!canMountTmpfs)(
    'stays as it was when machine.json cannot be written: ENOSPC (needs root to mount a tmpfs)',
    () => {
      withTinyTmpfs(4 * MiB, (directory) => {
        const machine = openMachine(path.join(directory, 'state'), { create: true });
        try {
          machine.createRegion({ size: '2MiB' });
          fs.rmSync(path.join(directory, 'state', 'machine.json.spare'));
          fillUp(path.join(directory, 'filler'));
          const before = machine.devices();
          expect(codeOf(() => machine.reconfigure('dax0.0', 'famfs'))).toBe('ENOSPC');
          expect(machine.devices()).toEqual(before);
          fs.rmSync(path.join(directory, 'filler'));
          expect(machine.reconfigure('dax0.0', 'famfs').mode).toBe('famfs');
        } finally {
          machine.close();
        }
      });
    },
  );

  it('removes what a killed creation or destruction left behind at the next change, and nothing else', () => {
    const machine = temporaryMachine();
    const regions = path.join(machine.root, 'regions');
    for (const name of ['4.mem.new', '5.mem.old', '6.mem', 'notes.txt', '7.mem.new.txt'])
      fs.writeFileSync(path.join(regions, name), 'something');
    fs.symlinkSync(path.join(regions, 'notes.txt'), path.join(regions, '8.mem.old'));
    machine.createRegion({ size: '2MiB' });
    expect(fs.readdirSync(regions).sort()).toEqual([
      '0.mem',
      '6.mem',
      '7.mem.new.txt',
      '8.mem.old',
      'notes.txt',
    ]);
  });

  it('never takes a file that was left behind, nor deletes it: EEXIST naming it', () => {
    const machine = temporaryMachine();
    const file = path.join(machine.root, 'regions', '0.mem');
    fs.writeFileSync(file, Buffer.alloc(2 * MiB, 1));
    const error = errorOf(() => machine.createRegion({ size: '2MiB' }));
    expect(error.code).toBe('EEXIST');
    expect(error.message).toContain(file);
    expect(fs.readFileSync(file)[2 * MiB - 1]).toBe(1);
    fs.rmSync(file);
    machine.createRegion({ size: '2MiB' });
    expect(machine.openDax('dax0.0').mmap()[0]).toBe(0);
  });

  it('lists a machine although a backing of it is gone, and says so when it is used', () => {
    const machine = temporaryMachine();
    const file = path.join(temporaryDirectory(), 'mine');
    fs.writeFileSync(file, Buffer.alloc(2 * MiB));
    machine.createRegion({ size: '2MiB', backing: file });
    machine.close();
    fs.rmSync(file);
    const again = temporaryMachine(machine.root);
    expect(again.regions()).toHaveLength(1);
    const error = errorOf(() => again.openDax('dax0.0').mmap());
    expect(error.code).toBe('ENOENT');
    expect(error.message).toContain(file);
  });
});

describe('a full disk', () => {
  it.skipIf(!canMountTmpfs)(
    'at first use is ENOSPC and leaves nothing open or mapped there (needs root to mount a tmpfs)',
    () => {
      withTinyTmpfs(MiB, (directory) => {
        fillUp(path.join(directory, 'filler'));
        expect(codeOf(() => openMachine(path.join(directory, 'state'), { create: true }))).toBe('ENOSPC');
        expect(fs.readFileSync('/proc/self/maps', 'utf8')).not.toContain(directory);
        const descriptors = fs.readdirSync('/proc/self/fd').map((fd) => linkOf(`/proc/self/fd/${fd}`));
        expect(descriptors.filter((target) => target.startsWith(directory))).toEqual([]);
      });
    },
  );
});

describe('destroyRegion', () => {
  it('removes devices and the default backing', () => {
    const machine = temporaryMachine();
    const { backing } = machine.createRegion({ size: '2MiB' });
    machine.destroyRegion(0);
    expect([machine.regions(), machine.devices(), fs.existsSync(backing.path)]).toEqual([[], [], false]);
  });

  it('says ENODEV for a region that is not there', () => {
    expect(codeOf(() => temporaryMachine().destroyRegion(3))).toBe('ENODEV');
  });

  it('is refused while this process uses a device of it, and ends that use with force', () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '2MiB' });
    const view = machine.openDax('dax0.0').mmap();
    expect(codeOf(() => machine.destroyRegion(0))).toBe('EBUSY');
    expect(view.length).toBe(2 * MiB);
    machine.destroyRegion(0, { force: true });
    expect(view.length).toBe(0);
    expect(machine.holders()).toEqual([]);
  });
});

/** Fills the file system of `file` to the last block. */
function fillUp(file: string): void {
  const fd = fs.openSync(file, 'w');
  try {
    for (;;) fs.writeSync(fd, Buffer.alloc(4096));
  } catch {
    // The file system is full, as intended.
  } finally {
    fs.closeSync(fd);
  }
}

function linkOf(file: string): string {
  try {
    return fs.readlinkSync(file);
  } catch {
    // The descriptor that listed the directory is closed already.
    return '';
  }
}
