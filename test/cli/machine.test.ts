import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createDevice,
  destroyDevice,
  disableDevice,
  enableDevice,
  list,
  offlineMemory,
  onlineMemory,
  reconfigureDevice,
  resizeDevice,
} from '../../src/cli/commands/devices.js';
import { doctor } from '../../src/cli/commands/doctor.js';
import { holders, poison, status } from '../../src/cli/commands/machine.js';
import { mkfsCommand } from '../../src/cli/commands/media.js';
import { createRegion, destroyRegion } from '../../src/cli/commands/regions.js';
import { UsageError } from '../../src/cli/errors.js';
import { withVolume } from '../../src/cli/opening.js';
import { recordingContext, temporaryDirectory } from './support/udax.js';

let directory: ReturnType<typeof temporaryDirectory>;

beforeEach(() => {
  directory = temporaryDirectory();
  process.env.UDAX_SYSTEM_UUID = '11111111-2222-4333-8444-555555555555';
});
afterEach(() => directory.remove());

const root = () => join(directory.path, 'root');
const context = (options = {}) => recordingContext(root(), options);
const failsWith = (code: string) => expect.objectContaining({ code });

function json<T = unknown>(run: (target: ReturnType<typeof context>) => void): T {
  const target = context({ json: true });
  run(target);
  return target.documents[0] as T;
}

function listed(flags: Parameters<typeof list>[2] = {}) {
  const target = context();
  list(target, [], flags);
  return target.printed.length === 0 ? [] : JSON.parse(target.printed[0]!);
}

describe('a state directory that cannot be looked into', () => {
  it('is an error that names it, not a machine that is not there', async () => {
    symlinkSync(root(), root());
    const refusal = expect.objectContaining({
      code: 'ELOOP',
      message: expect.stringContaining(`state directory ${root()}`),
    });
    expect(() => list(context(), [], {})).toThrow(refusal);
    await expect(status(context())).rejects.toThrow(refusal);
  });
});

describe('regions', () => {
  it('are made with their first device, and taken away with their memory', () => {
    const region = json((target) => createRegion(target, [], { size: '16M', sparse: true }));
    expect(region).toMatchObject({ id: 0, size: 16 << 20, devices: ['dax0.0'], type: 'device' });
    expect(listed({ regions: true, devices: true })).toMatchObject([
      { id: 0, devices: [{ chardev: 'dax0.0' }] },
    ]);
    destroyRegion(context(), ['0'], {});
    expect(listed({ regions: true })).toEqual([]);
    expect(readdirSync(join(root(), 'regions'))).toEqual([]);
  });

  it('a backing that is not there is not made: the error says how to', () => {
    const missing = join(directory.path, 'missing');
    expect(() => createRegion(context(), [], { size: '16MiB', backing: missing })).toThrow(
      expect.objectContaining({
        code: 'ENOENT',
        message: expect.stringContaining(`truncate -s 16M ${missing}`),
      }),
    );
    expect(existsSync(missing)).toBe(false);
  });

  it('a backing that is too small, a size or align that cannot be, leave nothing behind', () => {
    const small = join(directory.path, 'small');
    writeFileSync(small, 'small');
    expect(() => createRegion(context(), [], { size: '16M', backing: small })).toThrow(/too small/);
    expect(() => createRegion(context(), [], { size: '3M' })).toThrow(failsWith('EINVAL'));
    expect(() => createRegion(context(), [], { size: '4M', align: '3M' })).toThrow(failsWith('EINVAL'));
    expect(() => createRegion(context(), [], { size: '4000T' })).toThrow();
    expect(listed({ regions: true })).toEqual([]);
    expect(readdirSync(join(root(), 'regions'))).toEqual([]);
  });

  it('flags that make no sense are wrong usage and make no machine', () => {
    for (const flags of [{}, { size: '0' }, { size: '4M', type: 'pmem' }, { size: '4M', offset: '0' }]) {
      expect(() => createRegion(context(), [], flags)).toThrow(UsageError);
    }
    expect(() => destroyRegion(context(), ['x'], {})).toThrow(UsageError);
    expect(existsSync(root())).toBe(false);
  });

  it('with a famfs on them are destroyed only with -f', () => {
    createRegion(context(), [], { size: '32M', sparse: true });
    reconfigureDevice(context(), ['dax0.0'], { mode: 'famfs' });
    mkfsCommand(context(), ['dax0.0'], {});
    expect(() => destroyRegion(context(), ['0'], {})).toThrow(failsWith('EEXIST'));
    destroyRegion(context(), ['0'], { force: true });
    expect(listed({ regions: true })).toEqual([]);
  });
});

describe('devices', () => {
  it('are resized while disabled; without a size it is wrong usage', () => {
    createRegion(context(), [], { size: '32M', sparse: true });
    expect(() => resizeDevice(context(), ['dax0.0'], { size: '8M' })).toThrow(failsWith('EBUSY'));
    expect(() => resizeDevice(context(), ['dax0.0'], {})).toThrow(UsageError);
    disableDevice(context(), ['dax0.0'], {});
    expect(json((target) => resizeDevice(target, ['dax0.0'], { size: '8M' }))).toMatchObject([
      { chardev: 'dax0.0', size: 8 << 20, state: 'disabled' },
    ]);
    const target = context();
    resizeDevice(target, ['dax0.0'], { size: '0' });
    expect(target.printed).toEqual(['dax0.0 resized: 0 B']);
  });

  it('are carved, disabled, destroyed, enabled', () => {
    createRegion(context(), [], { size: '32M', sparse: true });
    disableDevice(context(), ['dax0.0'], {});
    destroyDevice(context(), ['dax0.0'], {});
    const made = json((target) => createDevice(target, [], { region: '0', size: '8M' }));
    expect(made).toMatchObject([{ chardev: 'dax0.1', size: 8 << 20, mode: 'devdax' }]);
    expect(json((target) => createDevice(target, [], {}))).toMatchObject([
      { chardev: 'dax0.2', size: 24 << 20 },
    ]);
    expect(() => createDevice(context(), [], {})).toThrow(failsWith('ENOSPC'));
    disableDevice(context(), ['dax0.1'], {});
    expect(listed({ dev: 'dax0.1' })).toMatchObject([{ state: 'disabled' }]);
    enableDevice(context(), ['dax0.1']);
    expect(() => destroyDevice(context(), ['dax0.1'], {})).toThrow(failsWith('EBUSY'));
    destroyDevice(context(), ['dax0.1'], { force: true });
    expect(listed().map((device: { chardev: string }) => device.chardev)).toEqual(['dax0.2']);
  });

  it('change mode, and their memory goes online and offline', () => {
    createRegion(context(), [], { size: '256M', sparse: true });
    const mode = () => listed()[0].mode;
    reconfigureDevice(context(), ['dax0.0'], { mode: 'famfs' });
    expect(mode()).toBe('famfs');
    reconfigureDevice(context(), ['dax0.0'], { mode: 'devdax' });
    reconfigureDevice(context(), ['dax0.0'], { mode: 'system-ram', online: false });
    expect(mode()).toBe('system-ram');
    expect(json((target) => onlineMemory(target, ['dax0.0'], {}))).toMatchObject({ changedBlocks: 2 });
    expect(() => disableDevice(context(), ['dax0.0'], {})).toThrow(failsWith('EBUSY'));
    expect(json((target) => offlineMemory(target, ['dax0.0']))).toMatchObject({ changedBlocks: 2 });
  });

  it('modes that do not exist, and -N where it means nothing, are wrong usage', () => {
    for (const flags of [{}, { mode: 'fsdax' }, { mode: 'famfs', online: false }]) {
      expect(() => reconfigureDevice(context(), ['dax0.0'], flags)).toThrow(UsageError);
    }
  });

  it('of a machine that was never made are not there, and asking makes none', async () => {
    expect(() => enableDevice(context(), ['dax0.0'])).toThrow(failsWith('ENODEV'));
    expect(() => mkfsCommand(context(), ['dax0.0'], {})).toThrow(/create-region/);
    const asked = recordingContext(root(), { json: true });
    await status(asked);
    expect(asked.documents[0]).toMatchObject({ regions: [], devices: [], endedMounts: [] });
    expect(json((target) => holders(target, []))).toEqual([]);
    expect(listed()).toEqual([]);
    expect(existsSync(root())).toBe(false);
  });
});

describe('the machine', () => {
  it('names who holds a device, and does not format it under them', () => {
    createRegion(context(), [], { size: '32M', sparse: true });
    reconfigureDevice(context(), ['dax0.0'], { mode: 'famfs' });
    mkfsCommand(context(), ['dax0.0'], {});
    withVolume(context(), 'dax0.0', { readOnly: true }, () => {
      expect(json((target) => holders(target, ['dax0.0']))).toMatchObject([
        { pid: process.pid, device: 'dax0.0' },
      ]);
      expect(() => mkfsCommand(context(), ['dax0.0'], { force: true })).toThrow(failsWith('EBUSY'));
    });
    expect(json((target) => holders(target, []))).toEqual([]);
  });

  it('shows its regions and devices to people', async () => {
    createRegion(context(), [], { size: '32M', sparse: true });
    const target = context();
    await status(target);
    expect(target.printed[0]).toMatch(/REGION +TYPE/);
    expect(target.printed[0]).toMatch(/dax0\.0 +devdax +enabled +device_dax +32 MiB/);
  });

  it('remembers poison until it is cleared', () => {
    createRegion(context(), [], { size: '32M', sparse: true });
    poison(context(), ['dax0.0', '2M', '8K'], {});
    const known = () => json((target) => poison(target, [], { list: true }));
    expect(known()).toEqual([{ device: 'dax0.0', offset: 2 << 20, length: 8192 }]);
    expect(() => poison(context(), ['dax0.0', '1G'], {})).toThrow(failsWith('EINVAL'));
    poison(context(), [], { clear: true });
    expect(known()).toEqual([]);
    for (const args of [[], ['dax0.0']]) expect(() => poison(context(), args, {})).toThrow(UsageError);
  });

  it('doctor says what works here', async () => {
    mkdirSync(root());
    const target = context({ json: true });
    await doctor(target);
    const report = target.documents[0] as { ok: boolean; findings: { subject: string; verdict: string }[] };
    expect(report.ok).toBe(true);
    expect(report.findings.map(({ subject }) => subject)).toContain('locks');
    expect(readdirSync(root())).toEqual([]);
  });
});
