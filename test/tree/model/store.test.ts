import { describe, expect, it } from 'vitest';
import { loadDrivers, makeBus } from '../support.js';

const thrown = (code: string) => expect.objectContaining({ code });

describe('what a store sees', () => {
  it('ends at the first NUL, and all bytes count as written', () => {
    const { tree } = makeBus({ idle: true });
    expect(tree.write('bus/dax/devices/dax0.0/size', '0x10000000\n\0')).toBe(12);
    expect(tree.read('bus/dax/devices/dax0.0/size')).toBe('268435456\n');
  });

  it('is not asked about an empty write', () => {
    const { tree } = makeBus({ idle: true });
    expect(tree.write('devices/udax/region0/dax_region/create', '')).toBe(0);
    expect(tree.read('devices/udax/region0/dax_region/create')).toBe('\n');
  });

  it('passes on the errno of the kernel and changes nothing', () => {
    const { bus, tree } = makeBus();
    loadDrivers(bus);
    expect(() => tree.write('bus/dax/drivers/fsdev_dax/new_id', 'dax00.0')).toThrowError(thrown('EINVAL'));
    expect(() => tree.write('bus/dax/drivers/fsdev_dax/bind', 'dax9.9')).toThrowError(thrown('ENODEV'));
    expect(() => tree.write('devices/udax/region0/dax_region/delete', 'dax0.0')).toThrowError(
      thrown('EBUSY'),
    );
    expect(() => tree.write('devices/system/memory/auto_online_blocks', 'junk')).toThrowError(
      thrown('EINVAL'),
    );
    expect(tree.readdir('bus/dax/devices')).toEqual(['dax0.0', 'dax1.0']);
  });
});

describe('who may open what', () => {
  it('refuses root an access the attribute has no method for', () => {
    const { tree } = makeBus();
    expect(() => tree.write('bus/dax/devices/dax1.0/size', '0')).toThrowError(thrown('EACCES'));
    expect(() => tree.read('bus/dax/drivers_probe')).toThrowError(thrown('EACCES'));
    expect(() => tree.read('bus/dax')).toThrowError(thrown('EISDIR'));
  });

  it('checks plain modes for everybody else, before the store', () => {
    const { tree } = makeBus();
    const nobody = { uid: 65534 };
    expect(tree.read('bus/dax/devices/dax0.0/align', nobody)).toBe('2097152\n');
    expect(() => tree.read('bus/dax/devices/dax0.0/resource', nobody)).toThrowError(thrown('EACCES'));
    expect(() => tree.write('bus/dax/devices/dax0.0/size', 'junk', nobody)).toThrowError(thrown('EACCES'));
    expect(() => tree.checkOpen('bus/dax/drivers_autoprobe', 'write', nobody)).toThrowError(thrown('EACCES'));
  });
});
