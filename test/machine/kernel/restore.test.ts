import { describe, expect, it } from 'vitest';
import { errorOf } from '../support.js';
import { because, KernelTree, noTrees } from './support.js';

const BLOCK = (which: string) => `devices/system/memory/memory${which}/state`;
const BIND = (driver: string) => `bus/dax/drivers/${driver}/(bind|new_id)`;

/** Each step of a mode change fails once, on a tree whose other stores behave as in a kernel. */
describe.skipIf(noTrees !== '')(`a mode change of the kernel's bus that fails${because}`, () => {
  it('a driver that refuses: the device is back with the one it had', async () => {
    const { kernel, ...tree } = await start();
    tree.fail({ path: BIND('kmem'), text: 'dax0.0', errno: 'ENOMEM' });
    const error = errorOf(() => kernel.reconfigure('dax0.0', 'system-ram'));
    expect(error).toMatchObject({
      code: 'ENOMEM',
      message: expect.stringMatching(/kmem.*dax0\.0 is as it was before$/),
    });
    expect(kernel.deviceInfo('dax0.0')).toMatchObject({ driver: 'device_dax', mode: 'devdax' });
  });

  it('a driver whose probe refuses: its id is dropped again, so that it takes the device never by itself', async () => {
    const { kernel } = await start();
    // The device is empty, so no driver takes it; new_id does not report that.
    kernel.destroyDevice('dax0.0', { force: true });
    expect(errorOf(() => kernel.reconfigure('dax0.0', 'famfs')).code).toBe('ENXIO');
    kernel.sysfs.write('bus/dax/devices/dax0.0/size', '0x8000000');
    // A new id makes the driver look at all unbound devices. The device here must not be among those it takes.
    kernel.sysfs.write('bus/dax/drivers/fsdev_dax/new_id', 'dax7.7');
    expect(kernel.deviceInfo('dax0.0')).toMatchObject({ driver: null, size: 2 ** 27 });
  });

  it('when going back fails as well, both are said, and what is left', async () => {
    const { kernel, ...tree } = await start();
    tree.fail(
      { path: BIND('fsdev_dax'), text: 'dax0.0', errno: 'ENOMEM' },
      { path: BIND('device_dax'), text: 'dax0.0', errno: 'ENODEV' },
    );
    const error = errorOf(() => kernel.reconfigure('dax0.0', 'famfs'));
    expect(error.code).toBe('ENOMEM');
    expect(error.message).toMatch(/fsdev_dax.*going back failed as well.*device_dax.*\(ENODEV\)/);
    expect(error.message).toContain('dax0.0 is disabled now: enable it');
    tree.fail();
    expect(kernel.enable('dax0.0')).toMatchObject({ mode: 'devdax', state: 'enabled' });
  });

  it('a driver that does not let go: the device stays, its id too', async () => {
    const { kernel, ...tree } = await start();
    tree.fail({ path: 'bus/dax/drivers/device_dax/unbind', text: 'dax0.0', errno: 'EBUSY' });
    expect(errorOf(() => kernel.reconfigure('dax0.0', 'famfs')).code).toBe('EBUSY');
    expect(kernel.deviceInfo('dax0.0').driver).toBe('device_dax');
    expect(tree.stores()).toEqual(['device_dax/unbind "dax0.0\\u0000"']);
  });

  it('a memory block that stays online: those before it go online again, each in its zone; kmem is never unbound', async () => {
    const { kernel, ...tree } = await start();
    kernel.onlineMemory('dax1.0');
    const blocks = kernelBlocks(kernel.sysfs);
    kernel.sysfs.write(BLOCK(blocks[0]!), 'offline');
    kernel.sysfs.write(BLOCK(blocks[0]!), 'online_kernel');
    const before = tree.blocks();
    expect(before).toEqual(['online Normal', 'online Movable', 'online Movable', 'online Movable']);
    tree.stores();
    tree.fail({ path: BLOCK(blocks[2]!), text: 'offline', errno: 'EBUSY' });
    const error = errorOf(() => kernel.reconfigure('dax1.0', 'devdax', { force: true }));
    expect(error).toMatchObject({ code: 'EBUSY', message: expect.stringContaining(`memory${blocks[2]}`) });
    expect(error.message).toContain('the 2 before it are online again');
    expect(tree.blocks()).toEqual(before);
    expect(kernel.deviceInfo('dax1.0').memory).toEqual({ total: 4, online: 4, movable: 3 });
    expect(tree.stores().join()).not.toMatch(/unbind|remove_id/);
  });

  it('offline-memory is all or nothing, too', async () => {
    const { kernel, ...tree } = await start();
    kernel.onlineMemory('dax1.0');
    tree.fail({ path: BLOCK(kernelBlocks(kernel.sysfs)[3]!), text: 'offline', errno: 'EBUSY' });
    expect(errorOf(() => kernel.offlineMemory('dax1.0')).code).toBe('EBUSY');
    expect(kernel.deviceInfo('dax1.0').memory).toMatchObject({ online: 4 });
  });

  it('a driver that refuses after the memory went offline: kmem has the device again, and its memory is online', async () => {
    const { kernel, ...tree } = await start();
    kernel.onlineMemory('dax1.0', { movable: false });
    const before = tree.blocks();
    tree.fail({ path: BIND('device_dax'), text: 'dax1.0', errno: 'EINVAL' });
    const error = errorOf(() => kernel.reconfigure('dax1.0', 'devdax', { force: true }));
    expect(error.message).toMatch(/as it was before/);
    expect(kernel.deviceInfo('dax1.0')).toMatchObject({ driver: 'kmem' });
    expect(tree.blocks()).toEqual(before);
  });

  it('memory that does not come online: offline again, unbound, and back in devdax mode', async () => {
    const { kernel, ...tree } = await start();
    kernel.reconfigure('dax1.0', 'devdax');
    tree.fail({ path: BLOCK('\\d*[13579]'), text: 'online_movable', errno: 'EINVAL' });
    expect(errorOf(() => kernel.reconfigure('dax1.0', 'system-ram')).code).toBe('EINVAL');
    expect(kernel.deviceInfo('dax1.0')).toMatchObject({ mode: 'devdax', driver: 'device_dax' });
    expect(tree.blocks()).toEqual([]);
  });

  it('a borrowed mode that cannot be given back says so, and can be given back later', async () => {
    const { kernel, ...tree } = await start();
    kernel.onlineMemory('dax1.0');
    const borrowed = kernel.borrowMode('dax1.0', 'devdax');
    expect([borrowed.before, kernel.deviceInfo('dax1.0').mode]).toEqual(['system-ram', 'devdax']);
    tree.fail({ path: BIND('kmem'), text: 'dax1.0', errno: 'ENOMEM' });
    expect(errorOf(() => borrowed.restore()).code).toBe('ENOMEM');
    expect(kernel.deviceInfo('dax1.0').mode).toBe('devdax');
    tree.fail();
    borrowed.restore();
    expect(kernel.deviceInfo('dax1.0').memory).toEqual({ total: 4, online: 4, movable: 4 });
  });

  it('a borrowed mode that somebody else changed meanwhile is theirs', async () => {
    const { kernel } = await start();
    kernel.disable('dax0.0');
    const borrowed = kernel.borrowMode('dax0.0', 'devdax');
    kernel.reconfigure('dax0.0', 'famfs');
    borrowed.restore();
    expect(kernel.deviceInfo('dax0.0').mode).toBe('famfs');
  });

  it('a device that does not get its size is deleted again', async () => {
    const { kernel } = await start();
    kernel.destroyDevice('dax0.0', { force: true });
    const before = kernel.devices();
    const error = errorOf(() => kernel.createDevice(0, { size: 4096 }));
    expect(error).toMatchObject({ code: 'EINVAL', message: expect.stringContaining('2 MiB') });
    expect(kernel.devices()).toEqual(before);
  });
});

async function start() {
  const tree = await KernelTree.start();
  return {
    kernel: tree.kernel,
    fail: tree.fail.bind(tree),
    stores: tree.stores.bind(tree),
    blocks: tree.blocks.bind(tree),
  };
}

/** Numbers of the existing memory blocks, by address. */
function kernelBlocks(sysfs: { readdir(path: string): string[] }): string[] {
  return sysfs
    .readdir('devices/system/memory')
    .flatMap((name) => /^memory(\d+)$/.exec(name)?.[1] ?? [])
    .sort((a, b) => Number(a) - Number(b));
}
