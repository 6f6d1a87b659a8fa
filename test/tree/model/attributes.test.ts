import { describe, expect, it } from 'vitest';
import { sysfs } from '../../../src/tree/index.js';
import { GIB, loadDrivers, makeBus } from '../support.js';

describe('the attribute tree of a bus', () => {
  it('shows devices as links to directories below their region', () => {
    const { tree } = makeBus();
    expect(tree.readdir('bus/dax/devices')).toEqual(['dax0.0', 'dax1.0']);
    expect(tree.readlink('/bus/dax/devices/dax0.0')).toBe('../../../devices/udax/region0/dax0.0');
    expect(tree.realpath('/sys/bus/dax/devices/dax0.0')).toBe('devices/udax/region0/dax0.0');
    expect(tree.read('bus/dax/devices/dax0.0/size')).toBe(`${GIB}\n`);
    expect(tree.read('bus/dax/devices/dax0.0/../dax_region/id')).toBe('0\n');
  });

  it('gives dynamic regions more files than static ones', () => {
    const { tree } = makeBus();
    const dynamic = ['align', 'available_size', 'create', 'delete', 'id', 'seed', 'size'];
    expect(tree.readdir('devices/udax/region0/dax_region')).toEqual(dynamic);
    expect(tree.readdir('devices/udax/region1/dax_region')).toEqual(['align', 'id', 'size']);
    expect(tree.lookup('bus/dax/devices/dax0.0/size', { follow: true }).mode).toBe(0o644);
    expect(tree.lookup('bus/dax/devices/dax1.0/size', { follow: true }).mode).toBe(0o444);
    expect(tree.exists('bus/dax/devices/dax1.0/mapping')).toBe(false);
  });

  it('resolves the character device link to the bus, as daxctl checks', () => {
    const { bus, tree } = makeBus();
    const devt = bus.device('dax0.0')?.devt ?? '';
    expect(tree.read('bus/dax/devices/dax0.0/dev')).toBe(`${devt}\n`);
    expect(tree.realpath(`dev/char/${devt}/subsystem`)).toBe('bus/dax');
  });

  it('links a bound device and its driver both ways', () => {
    const { bus, tree } = makeBus();
    expect(tree.exists('bus/dax/devices/dax1.0/driver')).toBe(false);
    loadDrivers(bus);
    expect(tree.realpath('bus/dax/devices/dax1.0/driver')).toBe('bus/dax/drivers/device_dax');
    expect(tree.realpath('bus/dax/drivers/device_dax/dax1.0')).toBe('devices/udax/region1/dax1.0');
    expect(tree.realpath('bus/dax/drivers/device_dax/module')).toBe('module/device_dax');
    expect(tree.read('module/device_dax/initstate')).toBe('live\n');
    expect(tree.read('bus/dax/devices/dax1.0/uevent')).toContain('DRIVER=device_dax\n');
  });

  it('shows memory blocks of a kmem device and their node', () => {
    const { bus, tree } = makeBus({ type: 'kmem' });
    bus.insmod('kmem');
    expect(tree.read('devices/system/memory/block_size_bytes')).toBe('8000000\n');
    expect(tree.readdir('devices/system/node/node1')).toHaveLength(8);
    expect(tree.read('devices/system/node/node1/memory32/phys_index')).toBe('00000020\n');
    tree.write('devices/system/memory/memory32/state', 'online_movable\0');
    expect(tree.read('devices/system/memory/memory32/valid_zones')).toBe('Movable\n');
    expect(tree.read('devices/system/memory/memory32/state')).toBe('online\n');
  });

  it('says of every attribute that it has 4096 bytes and belongs to root', () => {
    const { tree } = makeBus();
    expect(tree.lookup('bus/dax/drivers_probe')).toEqual({
      type: 'file',
      mode: 0o200,
      uid: 0,
      gid: 0,
      size: 4096,
      physical: 'bus/dax/drivers_probe',
    });
  });

  it('is the same through the short call', () => {
    const { bus } = makeBus();
    expect(sysfs(bus).read('/bus/dax/drivers_autoprobe')).toBe('1\n');
  });
});

describe('device nodes', () => {
  it('exist for every device, bound or not, for root alone', () => {
    const { bus, tree } = makeBus();
    const { major, minor } = tree.deviceNode('dax0.0');
    expect(tree.deviceNode('dax0.0')).toMatchObject({ type: 'char', mode: 0o600, uid: 0, size: 0 });
    expect(`${major}:${minor}`).toBe(bus.device('dax0.0')?.devt);
    expect(() => tree.deviceNode('dax7.0')).toThrowError(expect.objectContaining({ code: 'ENOENT' }));
  });
});
