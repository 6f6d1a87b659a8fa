import fs from 'node:fs';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openDevice, openMachine } from '../../../src/machine/index.js';
import { kitBytes } from '../../support/conformance.js';
import { Child, codeOf, errorOf, MiB, temporaryDirectory } from '../support.js';

function opened(where: string, options: { root?: string; writable?: boolean } = {}) {
  const device = openDevice(where, { root: temporaryDirectory(), ...options });
  onTestFinished(() => device.close());
  return device;
}

function imageOf(bytes: number): string {
  const file = path.join(temporaryDirectory(), 'pool.img');
  fs.writeFileSync(file, '');
  fs.truncateSync(file, bytes);
  return file;
}

describe('an image file as a device', () => {
  it('is a famfs-mode device of the whole 2 MiB of the file', () => {
    const device = opened(imageOf(5 * MiB));
    expect(device.dax.alive).toBe(true);
    expect(device.dax.size).toBe(4 * MiB);
    expect(device.writable).toBe(true);
  });

  it('opens whatever size its superblock claims: fsck must be able to say what is wrong with it', () => {
    const bytes = new Uint8Array(200);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, 0x87b282ff, true);
    view.setUint32(8, 48, true);
    view.setUint32(32, 2 * MiB, true);
    view.setUint32(96, crc32(bytes.subarray(0, 96)), true);
    view.setBigUint64(112, 2n ** 63n, true);
    const file = imageOf(4 * MiB);
    fs.writeFileSync(file, bytes, { flag: 'r+' });
    expect(opened(file).dax.size).toBe(4 * MiB);
  });

  it('reaches the file itself', () => {
    const file = imageOf(4 * MiB);
    const device = opened(file);
    const { hpa } = device.dax.directAccess(1, 1);
    device.dax.memory.bytes(hpa, 4096)[3] = 77;
    expect(fs.readFileSync(file)[4096 + 3]).toBe(77);
  });

  it.each([
    [4096, 4096],
    [10_000, 8192],
    [100, 4096],
  ])('of %i bytes, shorter than 2 MiB, is a device of %i bytes', (bytes, size) => {
    expect(opened(imageOf(bytes)).dax.size).toBe(size);
  });

  it('that is empty is EINVAL, not there ENOENT, a directory EISDIR', () => {
    expect(codeOf(() => opened(imageOf(0)))).toBe('EINVAL');
    expect(codeOf(() => opened(path.join(temporaryDirectory(), 'none')))).toBe('ENOENT');
    expect(codeOf(() => opened(temporaryDirectory()))).toBe('EISDIR');
  });

  it('can be opened for reading only', () => {
    const device = opened(imageOf(2 * MiB), { writable: false });
    expect(device.writable).toBe(false);
    expect(codeOf(() => device.hold('mkfs'))).toBe('EACCES');
    device.hold('mount').release();
  });

  it('leaves no state directory behind by being looked at', () => {
    const root = path.join(temporaryDirectory(), 'state');
    const device = opened(imageOf(2 * MiB), { root });
    device.dax.directAccess(0, 1);
    expect(fs.existsSync(root)).toBe(false);
    expect(device.reservations).toBe(path.join(root, 'volumes'));
  });

  it('is excluded by its users: shared mounts go together, mkfs goes alone', () => {
    const file = imageOf(2 * MiB);
    const [one, two] = [opened(file), opened(file)];
    const mounts = [one.hold('mount'), one.hold('mount'), two.hold('mount')];
    expect(codeOf(() => one.hold('mkfs'))).toBe('EBUSY');
    expect(codeOf(() => two.hold('mkfs'))).toBe('EBUSY');
    for (const mount of mounts) mount.release();
    const mkfs = two.hold('mkfs');
    expect(codeOf(() => one.hold('mount'))).toBe('EBUSY');
    expect(codeOf(() => two.hold('mount'))).toBe('EBUSY');
    mkfs.release();
    one.hold('mount').release();
  });

  it('names the pid that has it, until that is killed', async () => {
    const file = imageOf(2 * MiB);
    const child = new Child('image', [temporaryDirectory(), file, 'mount']);
    expect(await child.answer()).toMatchObject({ ok: true });
    const device = opened(file);
    const error = errorOf(() => device.hold('mkfs'));
    expect(error.code).toBe('EBUSY');
    expect(error.message).toContain(`pid ${child.pid}`);
    await child.killHard();
    device.hold('mkfs').release();
  });

  it('says EBADF for a hold after close', () => {
    const device = opened(imageOf(2 * MiB));
    device.close();
    device.close();
    expect(codeOf(() => device.hold('mount'))).toBe('EBADF');
  });

  it('has the size its superblock names and reads zeroes beyond the end', () => {
    const bytes = kitBytes('famfs', '01-empty-8m.img.gz');
    const file = path.join(temporaryDirectory(), 'golden.img');
    fs.writeFileSync(file, bytes);
    const device = opened(file, { writable: false });
    const named = Number(bytes.readBigUInt64LE(112));
    expect(named).toBeGreaterThan(bytes.length);
    expect(device.dax.size).toBe(named);
    const lastPage = device.dax.directAccess(named / 4096 - 1, 1);
    expect(device.dax.memory.bytes(lastPage.hpa, 4096).every((byte) => byte === 0)).toBe(true);
    expect(
      codeOf(() => device.dax.memory.map([{ start: lastPage.hpa, length: 4096 }], { access: 'private' })),
    ).toBe('EIO');
  });
});

describe('openDevice of a name', () => {
  it('is the device of the machine at the root', () => {
    const root = path.join(temporaryDirectory(), 'state');
    const machine = openMachine(root, { create: true });
    machine.createRegion({ size: '4MiB' });
    machine.reconfigure('dax0.0', 'famfs');
    const device = opened('dax0.0', { root });
    expect([device.name, device.dax.size]).toEqual(['dax0.0', 4 * MiB]);
    const hold = device.hold('mount');
    expect(codeOf(() => machine.disable('dax0.0', { force: true }))).toBe('EBUSY');
    hold.release();
    expect(codeOf(() => opened('dax7.0', { root }))).toBe('ENODEV');
    machine.close();
  });
});

describe('systemUuid', () => {
  it.skipIf(process.env.UDAX_SYSTEM_UUID !== undefined)(
    'is the same for machine and image of one root (skipped when UDAX_SYSTEM_UUID is set)',
    () => {
      const root = path.join(temporaryDirectory(), 'state');
      const machine = openMachine(root, { create: true });
      const uuid = machine.systemUuid();
      machine.close();
      expect(uuid).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
      expect(opened(imageOf(2 * MiB), { root }).systemUuid).toBe(uuid);
    },
  );
});
