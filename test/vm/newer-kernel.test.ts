// A kernel of Debian's backports, which has fsdev_dax: famfs mode on a true bus, with a daxctl that knows it.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Bus, QUIRK_SETS } from '../../src/dax/index.js';
import type { DaxError } from '../../src/libc/index.js';
import { backported, MIB, reasonOf, SharedMemoryFile, VirtualMachine } from './support/index.js';
import { NEWER_DAXCTL } from './support/newer-tools.js';

vi.setConfig({ testTimeout: 400_000 });
const noKernel = backported.reason !== '';

describe.skipIf(noKernel)(`a kernel with fsdev_dax: an NVDIMM${reasonOf(backported)}`, () => {
  let memory: SharedMemoryFile;
  let vm: VirtualMachine;
  beforeAll(async () => {
    memory = new SharedMemoryFile(512 * MIB);
    vm = await VirtualMachine.start(backported, memory, { name: 'newer' });
  });
  afterAll(async () => {
    await vm?.kill();
    memory?.close();
  });

  const perform = <T>(method: string, ...args: unknown[]) => vm.call<T>('kernel', 'perform', method, ...args);
  const mode = async () => (await perform<{ mode: string }>('deviceInfo', 'dax0.0')).mode;

  it('famfs mode is one command away, listed byte for byte as daxctl 85 lists it', async () => {
    const everything = { devices: true, regions: true, mappings: true };
    const theirs = () => vm.output(`${NEWER_DAXCTL} list -DRM`);
    expect(await vm.call('kernel', 'list', everything)).toBe(await theirs());
    expect(await vm.done('--kernel', 'reconfigure-device', '-m', 'famfs', 'dax0.0')).toContain(
      'famfs mode (fsdev_dax)',
    );
    expect(await theirs()).toContain('"mode":"famfs"');
    expect(await vm.call('kernel', 'list', everything)).toBe(await theirs());
  });

  it('in famfs mode the node cannot be mapped or read: the errors name devdax mode, --set-mode does it and puts the mode back', async () => {
    expect(await vm.call('raw', 'tryMmap', '/dev/dax0.0', { length: 2 * MIB })).toBe('ENODEV');
    expect(await vm.call('raw', 'tryCalls', '/dev/dax0.0')).toEqual({ read: 'EINVAL', write: 'EINVAL' });
    expect(await vm.command('mkfs', '/dev/dax0.0')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/is in famfs mode, raw access needs devdax mode.*\(ENXIO\)/),
    });
    await vm.output('udax --kernel --set-mode mkfs /dev/dax0.0', { timeoutMs: 150_000 });
    expect(await mode()).toBe('famfs');
  });

  it('each of udax and daxctl 85 undoes what the other did; what is in the memory stays', async () => {
    await vm.output(`${NEWER_DAXCTL} reconfigure-device -m devdax -f dax0.0`);
    expect(await mode()).toBe('devdax');
    expect(await vm.call('kernel', 'filesOn', 'dax0.0')).toEqual(['made']);
    await perform('reconfigure', 'dax0.0', 'famfs', { force: true });
    await vm.output(`${NEWER_DAXCTL} reconfigure-device -m devdax -f dax0.0`);
    expect(await vm.call('kernel', 'namesOn', '/dev/dax0.0')).toEqual(['made']);
  });

  it('a mounted device keeps its mode: EBUSY names the mount', async () => {
    await vm.output('mkdir -p /mnt && udax mount /dev/dax0.0 /mnt', { timeoutMs: 150_000 });
    expect(await vm.output('ls /mnt')).toBe('made\n');
    await expect(perform('reconfigure', 'dax0.0', 'famfs', { force: true })).rejects.toMatchObject({
      code: 'EBUSY',
      message: expect.stringContaining('/mnt'),
    });
    expect(await mode()).toBe('devdax');
    await vm.output('udax umount /mnt', { timeoutMs: 150_000 });
  });
});

describe.skipIf(noKernel)(`a kernel with fsdev_dax: a dynamic device (hmem)${reasonOf(backported)}`, () => {
  let memory: SharedMemoryFile;
  let vm: VirtualMachine;
  beforeAll(async () => {
    memory = new SharedMemoryFile(16 * MIB);
    vm = await VirtualMachine.start(backported, memory, {
      name: 'soft',
      kernelParameters: 'memmap=256M%512M-1+0xefffffff',
    });
  });
  afterAll(async () => {
    await vm?.kill();
    memory?.close();
  });

  /** What a bind of the claimed device answers, driver by driver. */
  const drivers = ['fsdev_dax', 'fsdev_dax', 'device_dax', 'device_dax', 'fsdev_dax'];

  it('F3: a failed probe of fsdev_dax leaves no page map, one of device_dax does: EINVAL for good, as in the model', async () => {
    const answers: string[] = [];
    // Its memory is RAM in use, so kmem leaves it claimed.
    await vm.output('echo dax1.0 > /sys/bus/dax/drivers/kmem/unbind');
    for (const driver of drivers) {
      await vm.run(`echo dax1.0 > /sys/bus/dax/drivers/${driver}/new_id`);
      const { stderr } = await vm.run(`echo dax1.0 > /sys/bus/dax/drivers/${driver}/bind`);
      answers.push(/busy/.test(stderr) ? 'EBUSY' : /Invalid argument/.test(stderr) ? 'EINVAL' : stderr);
    }
    // new_id has probed once before each bind.
    expect(answers).toEqual(['EBUSY', 'EBUSY', 'EINVAL', 'EINVAL', 'EINVAL']);
    expect(answersOfModel()).toEqual(answers);
  });

  function answersOfModel(): string[] {
    const bus = new Bus({ quirks: ['linux-7.4'] });
    bus.addRegion({ id: 1, type: 'kmem', start: 2 ** 29, size: 256 * MIB, align: 2 * MIB, targetNode: 0 });
    const { start, end } = bus.device('dax1.0')!.ranges[0]!;
    bus.resources.request(start, end, 'RAM');
    for (const driver of ['fsdev_dax', 'device_dax']) bus.insmod(driver);
    return drivers.map((driver) => {
      try {
        bus.newId(driver, 'dax1.0');
        bus.bind(driver, 'dax1.0');
        return 'bound';
      } catch (error) {
        return (error as DaxError).code;
      }
    });
  }

  it('an unbound node opens while another file is open (and is never mapped here: the kernel would oops), as in the model', async () => {
    const { stdout } = await vm.run(
      'exec 3< /dev/dax0.0; echo dax0.0 > /sys/bus/dax/drivers/device_dax/unbind; (exec 4< /dev/dax0.0) && echo opened',
    );
    const { code } = await vm.run('exec 4< /dev/dax0.0');
    expect([stdout, code]).toEqual(['opened\n', 1]);
    expect(QUIRK_SETS['linux-7.4']).toContain('kernel72-open-after-unbind');
  });
});
