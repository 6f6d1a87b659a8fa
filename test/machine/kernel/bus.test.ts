import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { KernelMachine, openMachine } from '../../../src/machine/index.js';
import { daxctlList, daxctlListOf } from '../../../src/tree/index.js';
import { codeOf, errorOf, MiB } from '../support.js';
import { because, KernelTree, noTrees } from './support.js';

/** Tests the whole kernel bus on a tree of real files whose stores behave as in a Linux 7.2 kernel. */
describe.skipIf(noTrees !== '')(`the kernel's bus${because}`, () => {
  it('is a KernelMachine, and has the regions and devices that the machine behind the tree has', async () => {
    const { kernel, root } = await KernelTree.start();
    expect(kernel).toBeInstanceOf(KernelMachine);
    const emulated = openMachine(root, { create: true });
    const shared = [
      'name',
      'region',
      'size',
      'align',
      'targetNode',
      'mode',
      'driver',
      'state',
      'ranges',
    ] as const;
    const pick = (device: object) =>
      Object.fromEntries(shared.map((key) => [key, device[key as keyof object]]));
    expect(kernel.devices().map(pick)).toEqual(emulated.devices().map(pick));
    expect(kernel.regions()).toMatchObject(
      emulated.regions().map(({ id, size, availableSize, align, targetNode, devices, hpa }) => ({
        id,
        size,
        availableSize,
        align,
        targetNode,
        devices,
        hpa,
        static: false,
        persistent: false,
      })),
    );
    emulated.close();
  });

  it('lists as daxctl does', async () => {
    const { kernel, root } = await KernelTree.start();
    const options = { devices: true, regions: true, mappings: true, idle: true };
    const emulated = openMachine(root, { create: true });
    const expected = daxctlList(emulated, options).replaceAll('platform\\/udax.', 'udax\\/region');
    emulated.close();
    expect(daxctlListOf(kernel.sysfs, options)).toBe(expected);
    expect(expected).toContain('"mappings"');
  });

  it('goes through every mode, by the stores that daxctl does, the old id dropped last', async () => {
    const tree = await KernelTree.start();
    const { kernel } = tree;
    tree.stores();
    expect(kernel.reconfigure('dax0.0', 'famfs')).toMatchObject({ mode: 'famfs', driver: 'fsdev_dax' });
    expect(tree.stores()).toEqual([
      'device_dax/unbind "dax0.0\\u0000"',
      // fsdev_dax matches by id only, and has no id yet.
      'fsdev_dax/bind "dax0.0\\u0000"',
      'fsdev_dax/new_id "dax0.0\\u0000"',
      // Done last, because until then it is needed for going back.
      'device_dax/remove_id "dax0.0\\u0000"',
    ]);
    expect(kernel.reconfigure('dax0.0', 'system-ram')).toMatchObject({
      driver: 'kmem',
      memory: { total: 4, online: 4, movable: 4 },
    });
    expect(codeOf(() => kernel.reconfigure('dax0.0', 'famfs', { force: true }))).toBe('EINVAL');
    expect(codeOf(() => kernel.reconfigure('dax0.0', 'devdax'))).toBe('EBUSY');
    expect(kernel.reconfigure('dax0.0', 'devdax', { force: true })).toMatchObject({ mode: 'devdax' });
    const states = tree.stores().filter((store) => /^memory\d+\/state/.test(store));
    expect(states.map((store) => store.split(' ')[1])).toEqual([
      ...Array(4).fill('"online_movable\\u0000"'),
      ...Array(4).fill('"offline\\u0000"'),
    ]);
  });

  it('memory blocks go online and offline, whole ones only', async () => {
    const tree = await KernelTree.start();
    const { kernel } = tree;
    expect([kernel.onlineMemory('dax1.0'), kernel.onlineMemory('dax1.0')]).toEqual([4, 0]);
    expect([kernel.offlineMemory('dax1.0'), kernel.offlineMemory('dax1.0')]).toEqual([4, 0]);
    expect(kernel.onlineMemory('dax1.0', { movable: false })).toBe(4);
    expect(tree.blocks()).toEqual(Array(4).fill('online Normal'));
    expect(codeOf(() => kernel.onlineMemory('dax0.0'))).toBe('EINVAL');
    // A device that begins in the middle of a memory block has one whole block less.
    kernel.disable('dax0.0');
    kernel.sysfs.write('bus/dax/devices/dax0.0/size', '0');
    kernel.createDevice(0, { size: 64 * MiB });
    const second = kernel.createDevice(0, { size: 256 * MiB });
    const ram = kernel.reconfigure(second.name, 'system-ram');
    expect(ram.memory).toEqual({ total: 1, online: 1, movable: 1 });
  });

  it('the kernel that brings new memory online by itself is respected without force', async () => {
    const { kernel } = await KernelTree.start();
    kernel.sysfs.write('devices/system/memory/auto_online_blocks', 'online');
    expect(codeOf(() => kernel.reconfigure('dax0.0', 'system-ram'))).toBe('EBUSY');
    expect(kernel.deviceInfo('dax0.0').mode).toBe('devdax');
    expect(kernel.reconfigure('dax0.0', 'system-ram', { force: true }).memory).toMatchObject({ online: 4 });
  });

  it('devices are made and destroyed in a dynamic region; instance 0 stays, empty', async () => {
    const { kernel } = await KernelTree.start();
    kernel.destroyDevice('dax0.0', { force: true });
    expect(kernel.deviceInfo('dax0.0')).toMatchObject({ size: 0, state: 'disabled' });
    const made = kernel.createDevice(0, { size: '128MiB', align: 4096 });
    expect(made).toMatchObject({ name: 'dax0.1', size: 128 * MiB, align: 4096, driver: 'device_dax' });
    expect(codeOf(() => kernel.createDevice(0, { size: '1GiB' }))).toBe('ENOSPC');
    expect(codeOf(() => kernel.createDevice(5))).toBe('ENODEV');
    expect(kernel.createDevice(0).size).toBe(384 * MiB);
    expect(codeOf(() => kernel.destroyDevice('dax0.1'))).toBe('EBUSY');
    kernel.disable('dax0.1');
    kernel.destroyDevice('dax0.1');
    expect(kernel.devices().map(({ name }) => name)).toEqual(['dax0.0', 'dax0.2', 'dax1.0']);
  });

  it('devices are resized by one store to size, disabled ones only', async () => {
    const tree = await KernelTree.start();
    const { kernel } = tree;
    expect(codeOf(() => kernel.resizeDevice('dax0.0', '64MiB'))).toBe('EBUSY');
    kernel.disable('dax0.0');
    tree.stores();
    expect(kernel.resizeDevice('dax0.0', '64MiB')).toMatchObject({ size: 64 * MiB, state: 'disabled' });
    expect(tree.stores()).toEqual(['devices/udax/region0/dax0.0/size "0x4000000\\n\\u0000"']);
    expect(codeOf(() => kernel.resizeDevice('dax0.0', '63MiB'))).toBe('EINVAL');
    expect(codeOf(() => kernel.resizeDevice('dax0.0', '1TiB'))).toBe('ENOSPC');
    expect(codeOf(() => kernel.resizeDevice('dax7.0', '2MiB'))).toBe('ENODEV');
    expect(kernel.region(0).availableSize).toBe((512 - 64) * MiB);
  });

  it('a driver that is not there is named, with the kernel that has it, before anything is touched', async () => {
    const tree = await KernelTree.start();
    const { kernel } = tree;
    const emulated = openMachine(tree.root, { create: true });
    for (const module of ['fsdev_dax', 'kmem']) emulated.change((bus) => bus.rmmod(module));
    emulated.close();
    tree.stores();
    expect(errorOf(() => kernel.reconfigure('dax0.0', 'famfs'))).toMatchObject({
      code: 'EOPNOTSUPP',
      message: expect.stringContaining('Linux 7.0'),
    });
    expect(errorOf(() => kernel.reconfigure('dax0.0', 'system-ram'))).toMatchObject({
      code: 'ENOENT',
      message: expect.stringContaining('kmem'),
    });
    expect(tree.stores()).toEqual([]);
  });

  it('what is not there is ENODEV, and what only an emulated machine does is no method', async () => {
    const { kernel } = await KernelTree.start();
    expect(codeOf(() => kernel.deviceInfo('dax7.0'))).toBe('ENODEV');
    expect(codeOf(() => kernel.region(7))).toBe('ENODEV');
    expect(codeOf(() => kernel.reconfigure('../dax0.0', 'devdax'))).toBe('ENODEV');
    for (const name of ['createRegion', 'destroyRegion', 'memoryFailure', 'clearPoison', 'node', 'bus'])
      expect(name in kernel).toBe(false);
  });

  it('a device of a tree that is not this kernel has no node here', async () => {
    const { kernel } = await KernelTree.start();
    expect(['ENOENT', 'ENODEV', 'ENXIO']).toContain(codeOf(() => kernel.device('dax0.0').dax));
    expect(kernel.holders()).toEqual([]);
  });

  it('another user looks, and is told which file keeps it from changing', async () => {
    const { kernel, at, directory } = await KernelTree.start();
    fs.chmodSync(directory, 0o755);
    const binary = path.resolve(import.meta.dirname, '../../../bin/udax.js');
    const state = path.join(directory, 'nobody');
    fs.mkdirSync(state);
    fs.chownSync(state, 65534, 65534);
    const udax = (...words: string[]) =>
      spawnSync(process.execPath, [binary, '--root', `kernel:${at}`, ...words], {
        encoding: 'utf8',
        uid: 65534,
        gid: 65534,
        cwd: '/',
        env: { PATH: process.env.PATH, XDG_STATE_HOME: state },
        timeout: 150_000,
      });
    // Only root may know how much of a device is online, because only root may read its addresses.
    expect(udax('list', '-d', 'dax0.0').stdout).toBe(daxctlListOf(kernel.sysfs, { device: 'dax0.0' }));
    const status = udax('status');
    expect([status.stderr, status.stdout]).toEqual(['', expect.stringContaining('/dev/dax0.0')]);
    const refused = udax('disable-device', 'dax0.0');
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/drivers\/device_dax\/unbind is 0200 root:root.*run as root \(EACCES\)/);
    expect(kernel.deviceInfo('dax0.0').state).toBe('enabled');
  });
});
