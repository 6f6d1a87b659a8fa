import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Machine, openMachine } from '../../src/machine/index.js';
import { daxctl, daxctlList, sysfs } from '../../src/tree/index.js';

describe('the attribute tree of a machine', () => {
  let root = '';
  let machine: Machine;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'udax-sysfs-'));
    machine = openMachine(root, { create: true });
    machine.createRegion({ size: '64MiB', sparse: true });
  });
  afterEach(() => {
    machine.close();
    rmSync(root, { recursive: true, force: true });
  });

  it('changes the machine on disk when it is written', () => {
    const tree = sysfs(machine);
    tree.write('bus/dax/devices/dax0.0/driver/unbind', 'dax0.0');
    tree.write('bus/dax/drivers/fsdev_dax/new_id', 'dax0.0');
    const again = openMachine(root, { create: true });
    try {
      expect(again.deviceInfo('dax0.0').mode).toBe('famfs');
      expect(sysfs(again).realpath('bus/dax/devices/dax0.0/driver')).toBe('bus/dax/drivers/fsdev_dax');
    } finally {
      again.close();
    }
  });

  it('leaves the machine as it was when a store is refused', () => {
    const before = machine.status().generation;
    expect(() => sysfs(machine).write('bus/dax/drivers/device_dax/unbind', 'dax9.9')).toThrowError(
      expect.objectContaining({ code: 'ENODEV' }),
    );
    expect(machine.status().generation).toBe(before);
  });

  it("runs daxctl's command lines as one change", () => {
    expect(daxctl(machine, ['reconfigure-device', '-m', 'famfs', 'dax0.0']).exit).toBe(0);
    expect(machine.deviceInfo('dax0.0').driver).toBe('fsdev_dax');
    expect(JSON.parse(daxctlList(machine))).toMatchObject([{ chardev: 'dax0.0', mode: 'famfs' }]);
  });
});
