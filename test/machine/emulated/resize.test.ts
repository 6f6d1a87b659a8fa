import { spawn } from 'node:child_process';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Machine } from '../../../src/machine/index.js';
import { codeOf, errorOf, MiB, TiB, temporaryMachine } from '../support.js';

/** A region of 16 MiB with dax0.1 (4 MiB, at its start) and dax0.2 (4 MiB, after it), both disabled; 8 MiB are free. */
function twoDevices(): Machine {
  const machine = temporaryMachine();
  machine.createRegion({ size: '16MiB' });
  machine.destroyDevice('dax0.0', { force: true });
  for (const name of ['dax0.1', 'dax0.2']) {
    expect(machine.createDevice(0, { size: '4MiB' }).name).toBe(name);
    machine.disable(name);
  }
  return machine;
}

const rangesOf = (machine: Machine, name: string) =>
  machine
    .deviceInfo(name)
    .ranges.map(({ start, end, pageOffset }) => [(start - TiB) / MiB, (end + 1 - TiB) / MiB, pageOffset]);

describe('resizeDevice', () => {
  it('grows the last range in place where the space after it is free', () => {
    const machine = twoDevices();
    expect(machine.resizeDevice('dax0.2', '12MiB')).toMatchObject({ size: 12 * MiB, state: 'disabled' });
    expect(rangesOf(machine, 'dax0.2')).toEqual([[4, 16, 0]]);
    expect(machine.region(0).availableSize).toBe(0);
  });

  it('grows into another range where it is not, and shrinks from its end', () => {
    const machine = twoDevices();
    machine.resizeDevice('dax0.1', 8 * MiB);
    expect(rangesOf(machine, 'dax0.1')).toEqual([
      [0, 4, 0],
      [8, 12, 1024],
    ]);
    machine.resizeDevice('dax0.1', 6 * MiB);
    expect(rangesOf(machine, 'dax0.1')).toEqual([
      [0, 4, 0],
      [8, 10, 1024],
    ]);
    machine.resizeDevice('dax0.1', 2 * MiB);
    expect(rangesOf(machine, 'dax0.1')).toEqual([[0, 2, 0]]);
    expect(machine.resizeDevice('dax0.1', 0)).toMatchObject({ size: 0, ranges: [] });
  });

  it('keeps what is in the memory', () => {
    const machine = twoDevices();
    machine.enable('dax0.1');
    const before = machine.openDax('dax0.1', { writable: true });
    before.mmap({ writable: true })[MiB] = 42;
    before.close();
    machine.disable('dax0.1');
    machine.resizeDevice('dax0.1', '8MiB');
    machine.enable('dax0.1');
    const after = machine.openDax('dax0.1');
    expect([after.size, after.mmap()[MiB]]).toEqual([8 * MiB, 42]);
    after.close();
  });

  it.each([
    ['an odd size, also while enabled', 'EINVAL', 'dax0.1', 5 * MiB, true],
    ['the size it has, while enabled', 'EBUSY', 'dax0.1', 4 * MiB, true],
    ['another size, while enabled', 'EBUSY', 'dax0.1', 2 * MiB, true],
    ['more than is free', 'ENOSPC', 'dax0.1', 14 * MiB, false],
    ['more than is free, while enabled', 'EBUSY', 'dax0.1', 14 * MiB, true],
    ['a device that is not there', 'ENODEV', 'dax9.9', 2 * MiB, false],
    ['what is no size', 'EINVAL', 'dax0.1', 'much', false],
  ])('of %s is %s, and changes nothing', (_what, code, name, size, enabled) => {
    const machine = twoDevices();
    if (enabled) machine.enable('dax0.1');
    const before = [machine.regions(), machine.devices()];
    expect(codeOf(() => machine.resizeDevice(name, size))).toBe(code);
    expect([machine.regions(), machine.devices()]).toEqual(before);
  });

  it('wants multiples of the align of the device', () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '2GiB', align: '1GiB', sparse: true });
    machine.disable('dax0.0');
    expect(codeOf(() => machine.resizeDevice('dax0.0', '512MiB'))).toBe('EINVAL');
    expect(machine.resizeDevice('dax0.0', '1GiB').size).toBe(1024 * MiB);
  });

  it('of the device of a static region is EACCES', () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '4MiB', static: true });
    machine.disable('dax0.0');
    expect(codeOf(() => machine.resizeDevice('dax0.0', '2MiB'))).toBe('EACCES');
  });

  it('of a device that another process has open is EBUSY, whoever tried to disable it', async () => {
    const machine = twoDevices();
    machine.enable('dax0.1');
    const built = new URL('../../../dist/index.js', import.meta.url).pathname;
    const program = `import { openMachine } from ${JSON.stringify(built)};
      const held = openMachine(${JSON.stringify(machine.root)}).openDax('dax0.1');
      process.stdout.write('held'); setInterval(() => held.size, 1000);`;
    const user = spawn(process.execPath, ['--input-type=module', '-e', program]);
    onTestFinished(() => void user.kill('SIGKILL'));
    await new Promise((resolve) => user.stdout.once('data', resolve));
    expect(errorOf(() => machine.disable('dax0.1')).code).toBe('EBUSY');
    expect(errorOf(() => machine.resizeDevice('dax0.1', '2MiB'))).toMatchObject({
      code: 'EBUSY',
      message: expect.stringContaining('disable it first'),
    });
    expect(machine.deviceInfo('dax0.1').size).toBe(4 * MiB);
  });
});
