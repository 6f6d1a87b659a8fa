import { describe, expect, it } from 'vitest';
import { daxctlHost, daxctlList, runDaxctl } from '../../../src/tree/index.js';
import { loadDrivers, MIB, makeBus } from '../support.js';

function setUp(options: Parameters<typeof makeBus>[0] = {}) {
  const { bus } = makeBus(options);
  const run = (line: string) => runDaxctl(daxctlHost(bus), line.split(' '));
  return { bus, run };
}

describe('daxctl list', () => {
  it('lists devices in reverse readdir order, the unbound ones disabled', () => {
    const { bus, run } = setUp();
    bus.insmod('kmem');
    const devices = JSON.parse(run('list').stdout);
    expect(devices.map((device: { chardev: string }) => device.chardev)).toEqual(['dax1.0', 'dax0.0']);
    expect(devices[0]).toEqual({
      chardev: 'dax1.0',
      size: 512 * MIB,
      target_node: 0,
      align: 2 * MIB,
      mode: 'devdax',
      state: 'disabled',
    });
  });

  it('hides devices of size 0 unless asked for idle ones, and shows free space of a region', () => {
    const { bus, run } = setUp({ idle: true });
    expect(JSON.parse(run('list').stdout)).toHaveLength(1);
    expect(JSON.parse(run('list -i').stdout)).toHaveLength(2);
    expect(daxctlList(bus, { regions: true, region: '0' })).toContain('"available_size":1073741824');
  });

  it('prints nothing and exits 0 when nothing matches', () => {
    expect(setUp().run('list -d dax7.7')).toEqual({ exit: 0, stdout: '', stderr: '' });
  });
});

describe('daxctl verbs', () => {
  it('change the mode of a device and load what that takes', () => {
    const { bus, run } = setUp();
    expect(run('reconfigure-device -m famfs dax1.0').exit).toBe(0);
    expect(bus.device('dax1.0')?.driver).toBe('fsdev_dax');
    expect(run('reconfigure-device -m devdax dax1.0').stdout).toContain('"mode":"devdax"');
    expect(bus.device('dax1.0')?.driver).toBe('device_dax');
    expect(bus.driver('fsdev_dax')?.ids).toEqual([]);
  });

  it('make and destroy devices', () => {
    const { bus, run } = setUp({ idle: true });
    loadDrivers(bus);
    expect(run('create-device -r 0 -s 256M').stdout).toContain('"chardev":"dax0.1"');
    expect(run('create-device -r 0').stdout).toContain('"size":805306368');
    expect(run('create-device -r 0').exit).toBe(228);
    expect(run('destroy-device dax0.1').exit).toBe(250);
    expect(run('destroy-device -f dax0.1').exit).toBe(0);
    expect(bus.device('dax0.1')).toBeUndefined();
    expect(run('destroy-device -f dax0.0').exit).toBe(0);
    expect(bus.device('dax0.0')?.size).toBe(0);
  });

  it('leave a size-0 seed behind when the size is refused', () => {
    const { bus, run } = setUp({ idle: true });
    loadDrivers(bus);
    expect(run('create-device -r 0 -s 3M').exit).toBe(250);
    expect(bus.region(0)?.seed?.name).toBe('dax0.1');
    expect(bus.device('dax0.1')?.size).toBe(0);
  });

  it('bring memory online and offline, and keep it from being stranded', () => {
    const { bus, run } = setUp({ type: 'kmem' });
    loadDrivers(bus);
    expect(run('online-memory dax0.0').exit).toBe(0);
    expect(run('online-memory dax0.0').exit).toBe(1);
    expect(run('reconfigure-device -m devdax dax0.0').exit).toBe(240);
    expect(bus.device('dax0.0')?.driver).toBe('kmem');
    expect(run('reconfigure-device -f -m devdax dax0.0').exit).toBe(0);
    expect(bus.memoryBlocks.list).toEqual([]);
  });

  it('refuse system-ram while the kernel would online it by itself, but for -f', () => {
    const { bus, run } = setUp();
    bus.memoryBlocks.autoOnline = 'online_movable';
    expect(run('reconfigure-device -m system-ram dax0.0').exit).toBe(240);
    expect(bus.device('dax0.0')?.driver).toBeNull();
    expect(run('reconfigure-device -f -m system-ram dax0.0').stdout).toContain('"online_memblocks":8');
  });

  it('refuse famfs straight from system-ram', () => {
    const { bus, run } = setUp({ type: 'kmem' });
    loadDrivers(bus);
    expect(run('reconfigure-device -f -m famfs dax0.0').exit).toBe(234);
    expect(bus.device('dax0.0')?.driver).toBe('kmem');
  });

  it('print the usage for what they do not understand', () => {
    const { run } = setUp();
    expect(run('list --none').exit).toBe(129);
    expect(run('reconfigure-device dax0.0').exit).toBe(129);
    expect(run('reconfigure-device -m famfs -N dax0.0').exit).toBe(129);
    expect(run('destroy-device').exit).toBe(129);
    expect(run('none').exit).toBe(1);
  });

  it('of 76 know no famfs mode, so -N is not what is wrong with it', () => {
    const { bus } = makeBus();
    const host = daxctlHost(bus, { version: 76 });
    expect(runDaxctl(host, ['reconfigure-device', '-m', 'famfs', '-N', 'dax0.0']).exit).toBe(234);
  });

  it.each([76, 85] as const)('of %i set an align alone, and then refuse for want of a mode', (version) => {
    const { bus } = makeBus();
    const host = daxctlHost(bus, { version });
    expect(runDaxctl(host, ['disable-device', 'dax0.0']).exit).toBe(0);
    const refused = runDaxctl(host, ['reconfigure-device', '-a', '4k', 'dax0.0']);
    expect(refused).toMatchObject({ exit: 234, stdout: '' });
    expect(refused.stderr).toContain('dax0.0: unknown mode requested: 0');
    expect(bus.devices().find(({ name }) => name === 'dax0.0')!.align).toBe(4096);
  });

  it('say their version as the real ones do', () => {
    const { bus } = makeBus();
    const told = ([76, 85] as const).map((version) => runDaxctl(daxctlHost(bus, { version }), ['--version']));
    expect(told.map(({ stdout }) => stdout)).toEqual(['76.1\n', '85\n']);
  });
});
