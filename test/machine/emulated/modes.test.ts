import { describe, expect, it } from 'vitest';
import type { DeviceMode } from '../../../src/machine/index.js';
import { codeOf, MiB, temporaryMachine } from '../support.js';

const blockBytes = 128 * MiB;

describe('modes of a device', () => {
  const pairs: [DeviceMode, DeviceMode][] = [
    ['devdax', 'famfs'],
    ['famfs', 'devdax'],
    ['devdax', 'system-ram'],
    ['famfs', 'system-ram'],
  ];
  it.each(pairs)('go from %s to %s', (from, to) => {
    const machine = temporaryMachine();
    machine.createRegion({ size: blockBytes, sparse: true });
    machine.reconfigure('dax0.0', from);
    expect(machine.reconfigure('dax0.0', to)).toMatchObject({ mode: to, state: 'enabled' });
    expect(machine.deviceInfo('dax0.0').mode).toBe(to);
  });

  it('stay when they are what is asked', () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '2MiB' });
    const generation = machine.reconfigure('dax0.0', 'famfs') && machine.status().generation;
    expect(machine.reconfigure('dax0.0', 'famfs').mode).toBe('famfs');
    expect(machine.status().generation).toBe(generation);
  });

  it('do not go from system-ram to famfs: EINVAL, as daxctl, also with force; by way of devdax with force', () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: blockBytes, sparse: true });
    machine.reconfigure('dax0.0', 'system-ram');
    expect(codeOf(() => machine.reconfigure('dax0.0', 'famfs', { force: true }))).toBe('EINVAL');
    expect(codeOf(() => machine.reconfigure('dax0.0', 'devdax'))).toBe('EBUSY');
    expect(machine.deviceInfo('dax0.0').mode).toBe('system-ram');
    machine.reconfigure('dax0.0', 'devdax', { force: true });
    expect(machine.reconfigure('dax0.0', 'famfs').mode).toBe('famfs');
  });

  it('system-ram comes online by default and stays offline with online: false', () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: 2 * blockBytes, sparse: true, targetNode: 3 });
    machine.reconfigure('dax0.0', 'system-ram', { online: false });
    expect(machine.status().nodes).toMatchObject([{ id: 3, totalBytes: 2 * blockBytes, onlineBytes: 0 }]);
    expect(machine.onlineMemory('dax0.0')).toBe(2);
    expect(machine.onlineMemory('dax0.0')).toBe(0);
    expect(machine.offlineMemory('dax0.0')).toBe(2);
    expect(machine.reconfigure('dax0.0', 'system-ram').mode).toBe('system-ram');
    expect(machine.status().nodes[0]!.onlineBytes).toBe(2 * blockBytes);
  });

  it('refuse online: false with famfs, and unknown modes: EINVAL', () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '2MiB' });
    expect(codeOf(() => machine.reconfigure('dax0.0', 'famfs', { online: false }))).toBe('EINVAL');
    expect(codeOf(() => machine.reconfigure('dax0.0', 'fsdax' as DeviceMode))).toBe('EINVAL');
  });

  it('are as before when the new driver refuses (a region without a node cannot be system-ram)', () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: blockBytes, sparse: true, targetNode: -1 });
    machine.reconfigure('dax0.0', 'famfs');
    const before = [machine.devices(), machine.status().generation];
    expect(codeOf(() => machine.reconfigure('dax0.0', 'system-ram'))).toBe('EINVAL');
    expect([machine.devices(), machine.status().generation]).toEqual(before);
    expect(machine.device('dax0.0').dax.alive).toBe(true);
  });

  it('kmem regions are system-ram from the start, offline', () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: blockBytes, sparse: true, type: 'kmem' });
    expect(machine.deviceInfo('dax0.0')).toMatchObject({ mode: 'system-ram', driver: 'kmem' });
    expect(machine.status().nodes[0]!.onlineBytes).toBe(0);
  });

  it('unknown devices are ENODEV everywhere', () => {
    const machine = temporaryMachine();
    for (const act of [
      () => machine.reconfigure('dax9.0', 'famfs'),
      () => machine.enable('dax9.0'),
      () => machine.disable('dax9.0'),
      () => machine.destroyDevice('dax9.0'),
      () => machine.device('dax9.0'),
      () => machine.openDax('dax9.0'),
      () => machine.deviceInfo('dax9.0'),
      () => machine.onlineMemory('dax9.0'),
      () => machine.memoryFailure({ device: 'dax9.0', offset: 0 }),
      () => machine.createDevice(9),
      () => machine.region(9),
    ]) {
      expect(codeOf(act)).toBe('ENODEV');
    }
  });
});

describe('enable and disable', () => {
  it('unbind and bind to device_dax, whatever it was before', () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '2MiB' });
    machine.reconfigure('dax0.0', 'famfs');
    expect(machine.disable('dax0.0')).toMatchObject({ mode: 'devdax', state: 'disabled', driver: null });
    expect(machine.disable('dax0.0').state).toBe('disabled');
    expect(machine.enable('dax0.0')).toMatchObject({ mode: 'devdax', driver: 'device_dax' });
  });

  it('fsdev never comes back by itself after a disable', () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '2MiB' });
    machine.reconfigure('dax0.0', 'famfs');
    machine.disable('dax0.0');
    machine.change((bus) => bus.probe('dax0.0'));
    expect(machine.deviceInfo('dax0.0').driver).toBe('device_dax');
  });

  it('disable needs force while this process has it open, and then ends it', () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '2MiB' });
    const raw = machine.openDax('dax0.0');
    const view = raw.mmap();
    expect(codeOf(() => machine.disable('dax0.0'))).toBe('EBUSY');
    expect(view.length).toBe(2 * MiB);
    machine.disable('dax0.0', { force: true });
    expect(view.length).toBe(0);
    expect(codeOf(() => raw.mmap())).toBe('ENXIO');
    expect(machine.holders()).toEqual([]);
  });

  it('reconfigure ends what this process has open, as unbind does, and the old handle stays dead', () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '2MiB' });
    const raw = machine.openDax('dax0.0');
    const view = raw.mmap();
    machine.reconfigure('dax0.0', 'famfs');
    expect(view.length).toBe(0);
    machine.reconfigure('dax0.0', 'devdax');
    expect(codeOf(() => raw.mmap())).toBe('ENXIO');
  });

  it('disable of online system-ram needs force', () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: blockBytes, sparse: true });
    machine.reconfigure('dax0.0', 'system-ram');
    expect(codeOf(() => machine.disable('dax0.0'))).toBe('EBUSY');
    expect(machine.disable('dax0.0', { force: true }).state).toBe('disabled');
    expect(machine.enable('dax0.0').driver).toBe('device_dax');
  });
});

describe('devices of a region', () => {
  it('come and go: instance 0 stays at size 0', () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '8MiB' });
    expect(codeOf(() => machine.destroyDevice('dax0.0'))).toBe('EBUSY');
    machine.disable('dax0.0');
    machine.destroyDevice('dax0.0');
    expect(machine.deviceInfo('dax0.0')).toMatchObject({ size: 0, state: 'disabled', ranges: [] });
    expect(machine.createDevice(0, { size: '2MiB' })).toMatchObject({
      name: 'dax0.1',
      size: 2 * MiB,
      driver: 'device_dax',
    });
    expect(machine.createDevice(0)).toMatchObject({ name: 'dax0.2', size: 6 * MiB });
    machine.destroyDevice('dax0.1', { force: true });
    expect(machine.region(0)).toMatchObject({ devices: ['dax0.0', 'dax0.2'], availableSize: 2 * MiB });
  });

  it.each([
    ['more than is free', 'ENOSPC', { size: '16MiB' }],
    ['a size off the grid', 'EINVAL', { size: 5 * MiB }],
    ['an align nobody has', 'EINVAL', { size: '2MiB', align: 8192 }],
    ['size 0', 'EINVAL', { size: 0 }],
  ])('creation of %s is %s and leaves no seed behind', (_what, code, options) => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '8MiB' });
    machine.destroyDevice('dax0.0', { force: true });
    const before = [machine.regions(), machine.devices()];
    expect(codeOf(() => machine.createDevice(0, options))).toBe(code);
    expect([machine.regions(), machine.devices()]).toEqual(before);
    expect(machine.bus.region(0)!.seed).toBe(null);
  });

  it('static regions have exactly one: EOPNOTSUPP', () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '4MiB', static: true });
    expect(codeOf(() => machine.createDevice(0, { size: '2MiB' }))).toBe('EOPNOTSUPP');
    expect(codeOf(() => machine.destroyDevice('dax0.0', { force: true }))).toBe('EOPNOTSUPP');
  });
});

describe('change', () => {
  it('puts the model back when its work throws half-way', () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '4MiB' });
    const before = machine.devices();
    expect(() =>
      machine.change((bus) => {
        bus.unbind('device_dax', 'dax0.0');
        bus.device('dax0.0')!.resize(0);
        throw new Error('half-way');
      }),
    ).toThrow('half-way');
    expect(machine.devices()).toEqual(before);
  });

  it('refuses regions that have no memory', () => {
    const machine = temporaryMachine();
    const add = () =>
      machine.change((bus) =>
        bus.addRegion({ type: 'device', start: 2 ** 41, size: 2 * MiB, align: 2 * MiB, targetNode: 0 }),
      );
    expect(codeOf(add)).toBe('EINVAL');
    expect(machine.regions()).toEqual([]);
  });
});
