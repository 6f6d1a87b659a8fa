import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { ImageDevice } from '../../../src/machine/image/image.js';
import { type KernelMachine, openDevice, openKernel, openMachine } from '../../../src/machine/index.js';
import { daxctlListOf } from '../../../src/tree/index.js';
import { codeOf, errorOf, MiB, temporaryDirectory } from '../support.js';

/**
 * Trees of plain files, for what no kernel here has: an NVDIMM, odd values, an empty tree. Stores into them have no effect, so
 * nothing is changed through them (bus.test.ts and test/vm do that).
 */
interface MadeDevice {
  /** Directory of the region. */
  region: string;
  name: string;
  driver?: string;
  /** `1:5` is /dev/zero: a character device that exists everywhere. */
  numbers?: string;
  attributes?: Record<string, string>;
}

function madeTree(...devices: MadeDevice[]): string {
  const root = temporaryDirectory();
  const write = (file: string, text: string): void => {
    fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    fs.writeFileSync(path.join(root, file), text);
  };
  for (const directory of ['bus/dax/devices', 'bus/dax/drivers/device_dax', 'dev/char']) {
    fs.mkdirSync(path.join(root, directory), { recursive: true });
  }
  for (const { region, name, driver, numbers = '252:0', attributes = {} } of devices) {
    const directory = `${region}/${name}`;
    const values = {
      size: '534773760\n',
      align: '2097152\n',
      dev: `${numbers}\n`,
      target_node: '1\n',
      numa_node: '0\n',
    };
    for (const [key, text] of Object.entries({ ...values, ...attributes }))
      write(`${directory}/${key}`, text);
    if (driver) {
      fs.mkdirSync(path.join(root, 'bus/dax/drivers', driver), { recursive: true });
      fs.symlinkSync(path.join(root, 'bus/dax/drivers', driver), path.join(root, directory, 'driver'));
    }
    fs.symlinkSync(path.join(root, 'bus/dax'), path.join(root, directory, 'subsystem'));
    fs.symlinkSync(path.join(root, directory), path.join(root, 'bus/dax/devices', name));
    if (!fs.existsSync(path.join(root, 'dev/char', numbers)))
      fs.symlinkSync(path.join(root, directory), path.join(root, 'dev/char', numbers));
  }
  return root;
}

function machineOn(root: string): KernelMachine {
  return openKernel(`kernel:${root}`, { stateDirectory: path.join(root, 'state') });
}

const NVDIMM = 'devices/LNXSYSTM:00/LNXSYBUS:00/ACPI0012:00/ndbus0/region0';

function nvdimmTree(device: Partial<MadeDevice> = {}): string {
  const root = madeTree({
    region: `${NVDIMM}/dax0.0`,
    name: 'dax0.0',
    driver: 'device_dax',
    attributes: {
      resource: '0x100200000\n',
      'mapping0/start': '0x100200000\n',
      'mapping0/end': '0x11fffffff\n',
      'mapping0/page_offset': '0x0\n',
      '../dax_region/size': '534773760\n',
      '../dax_region/align': '2097152\n',
    },
    ...device,
  });
  fs.writeFileSync(path.join(root, NVDIMM, 'resource'), '0x100000000\n');
  return root;
}

describe('a sysfs tree', () => {
  it('of an NVDIMM: a static region, persistent, whose data begins after its info block', () => {
    const machine = machineOn(nvdimmTree());
    expect(machine.deviceInfo('dax0.0')).toMatchObject({
      node: '/dev/dax0.0',
      size: 510 * MiB,
      resource: 0x100200000,
      dataOffset: 2 * MiB,
      persistent: true,
      numaNode: 0,
      targetNode: 1,
      ranges: [{ start: 0x100200000, end: 0x11fffffff, pageOffset: 0 }],
    });
    expect(machine.regions()).toMatchObject([
      { id: 0, provider: 'nvdimm', static: true, persistent: true, hpa: 0x100000000, devices: ['dax0.0'] },
    ]);
    expect(codeOf(() => machine.createDevice(0))).toBe('EOPNOTSUPP');
    expect(codeOf(() => machine.destroyDevice('dax0.0', { force: true }))).toBe('EOPNOTSUPP');
  });

  it.each([
    ['devices/platform/hmem_platform.0/hmem.0', 'hmem'],
    ['devices/platform/hmem.0', 'hmem'],
    ['devices/platform/ACPI0017:00/root0/decoder0.0/region0/dax_region0', 'cxl'],
    ['devices/somewhere/else', 'other'],
  ])('below %s comes from %s and is not persistent', (region, provider) => {
    const machine = machineOn(madeTree({ region, name: 'dax0.0' }));
    expect(machine.region(0)).toMatchObject({ provider, persistent: false, hpa: null });
    expect(machine.deviceInfo('dax0.0')).toMatchObject({
      state: 'disabled',
      mode: 'devdax',
      dataOffset: null,
    });
  });

  it('devices are in the order of their numbers, two regions of one number apart', () => {
    const machine = machineOn(
      madeTree(
        { region: 'devices/b', name: 'dax10.0' },
        { region: 'devices/a', name: 'dax2.10' },
        { region: 'devices/c', name: 'dax2.9' },
      ),
    );
    expect(machine.devices().map(({ name }) => name)).toEqual(['dax2.9', 'dax2.10', 'dax10.0']);
    expect(machine.regions().map(({ devices }) => devices)).toEqual([['dax2.9'], ['dax2.10'], ['dax10.0']]);
  });

  it('a value that is no number is named with its file', () => {
    const machine = machineOn(nvdimmTree({ attributes: { size: 'lots\n' } }));
    expect(errorOf(() => machine.devices())).toMatchObject({
      code: 'EIO',
      message: expect.stringMatching(/dax0\.0\/size.*'lots'/),
    });
  });

  it('without a dax bus, or with an empty one, has nothing, and lists nothing', () => {
    for (const root of [temporaryDirectory(), madeTree()]) {
      const machine = machineOn(root);
      expect([machine.devices(), machine.regions(), machine.holders()]).toEqual([[], [], []]);
      expect(machine.status().hasBus).toBe(fs.existsSync(path.join(root, 'bus/dax')));
      expect(daxctlListOf(machine.sysfs, { devices: true, regions: true })).toBe('');
    }
  });

  it('that is not there is ENOENT', () => {
    expect(codeOf(() => openKernel('kernel:/no/such/tree'))).toBe('ENOENT');
  });

  // What went wrong: openMachine() returned a KernelMachine where the type said Machine, when UDAX_ROOT was kernel:.
  it('is opened by openKernel, and a state directory by openMachine: neither gives the other', () => {
    const before = process.env.UDAX_ROOT;
    process.env.UDAX_ROOT = `kernel:${nvdimmTree()}`;
    try {
      expect(errorOf(() => openMachine())).toMatchObject({
        code: 'EINVAL',
        message: expect.stringContaining('openKernel'),
      });
      const kernel = openKernel();
      expect([kernel.root, kernel.devices().length]).toEqual([process.env.UDAX_ROOT, 1]);
      kernel.close();
    } finally {
      if (before === undefined) delete process.env.UDAX_ROOT;
      else process.env.UDAX_ROOT = before;
    }
    expect(codeOf(() => openMachine('kernel:'))).toBe('EINVAL');
    expect(codeOf(() => openKernel(temporaryDirectory() as 'kernel:'))).toBe('EINVAL');
  });
});

describe('a node of a device that is not in devdax mode', () => {
  const opened = (driver: string | undefined) => {
    const root = nvdimmTree({ numbers: '1:5', ...(driver === undefined ? {} : { driver }) });
    if (driver === undefined) fs.rmSync(path.join(root, NVDIMM, 'dax0.0/dax0.0/driver'));
    const opening = () => ImageDevice.open('/dev/zero', { root, sysfs: root });
    return errorOf(opening) as Error & { code: string };
  };

  it.each([
    [
      'kmem',
      /in system-ram mode.*reconfigure\('dax0\.0', 'devdax', { force: true }\)/,
      'kernel-devdax-force',
    ],
    ['fsdev_dax', /in famfs mode.*openKernel\(\)\.reconfigure\('dax0\.0', 'devdax'\)/, 'kernel-devdax'],
    [undefined, /disabled.*enable\('dax0\.0'\).*borrowMode/, 'kernel-enable'],
    ['new_driver', /bound to new_driver/, 'kernel-devdax'],
  ])('bound to %s: ENXIO says so, and what changes it', (driver, message, hint) => {
    expect(opened(driver)).toMatchObject({
      code: 'ENXIO',
      message: expect.stringMatching(message),
      path: 'dax0.0',
      hint,
    });
  });

  it('in devdax mode it opens, with the size and align that sysfs tells', () => {
    const root = nvdimmTree({ numbers: '1:5' });
    const device = ImageDevice.open('/dev/zero', { root, sysfs: root });
    expect(device.dax.directAccess(0, 1, 'access')).toBeDefined();
    device.close();
  });
});

describe("a name on the kernel's bus", () => {
  it('is its node, whatever UDAX_ROOT says', () => {
    const root = nvdimmTree();
    const error = errorOf(() => openDevice('dax0.0', { root: `kernel:${root}` }));
    expect(error.message).toContain('/dev/dax0.0');
    expect(codeOf(() => openDevice('dax9.0', { root: `kernel:${root}` }))).toBe('ENODEV');
  });
});
