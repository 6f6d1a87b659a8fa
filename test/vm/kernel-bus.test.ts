import fs from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  assets,
  because,
  MIB,
  noVms,
  type Outcome,
  SharedMemoryFile,
  VirtualMachine,
} from './support/index.js';

/** A process of udax takes 3 s to start in software emulation, several times that on a busy machine. */
const SLOW_MS = 100_000;
vi.setConfig({ testTimeout: 4 * SLOW_MS });

/** udax on a real kernel's dax bus, with the real answers of its sysfs. */
describe.skipIf(noVms)(`the dax bus of a real kernel: an NVDIMM${because}`, () => {
  let memory: SharedMemoryFile;
  let vm: VirtualMachine;
  beforeAll(async () => {
    memory = new SharedMemoryFile(512 * MIB);
    vm = await VirtualMachine.start(assets, memory, { name: 'bus' });
  });
  afterAll(async () => {
    await vm?.kill();
    memory?.close();
  });

  const perform = <T>(method: string, ...args: unknown[]) => vm.call<T>('kernel', 'perform', method, ...args);
  const udax = (...words: string[]) => vm.run(`udax ${words.join(' ')}`, { timeoutMs: SLOW_MS });
  const info = () => perform<DeviceFacts>('deviceInfo', 'dax0.0');
  const state = async () => {
    const { driver, memory: blocks } = await info();
    return blocks === null ? driver : `${driver} ${blocks.online}/${blocks.total}`;
  };

  it('is listed byte for byte as daxctl lists it, in both modes', async () => {
    const everything = { devices: true, regions: true, mappings: true };
    const theirs = await vm.output('daxctl list -DRM');
    expect(await vm.call('kernel', 'list', everything)).toBe(theirs);
    expect(theirs).toContain('dax0.0');
    expect(await udax('--kernel', 'list', '-DRM')).toMatchObject({ code: 0, stderr: '', stdout: theirs });
    await perform('reconfigure', 'dax0.0', 'system-ram');
    expect(await vm.call('kernel', 'list', { human: true, idle: true })).toBe(
      await vm.output('daxctl list -iu'),
    );
    await perform('reconfigure', 'dax0.0', 'devdax', { force: true });
  });

  it('has size, align, address and data offset as sysfs has them', async () => {
    expect(await info()).toMatchObject({
      ...{ node: '/dev/dax0.0', mode: 'devdax', driver: 'device_dax', state: 'enabled', persistent: true },
      ...{ size: vm.dax.size, align: vm.dax.align, dataOffset: vm.daxOffset, region: 0, memory: null },
    });
    expect(await perform('regions')).toMatchObject([
      { provider: 'nvdimm', static: true, devices: ['dax0.0'] },
    ]);
    const { stdout } = await udax('--kernel', 'status');
    expect(stdout).toContain(`dax bus of Linux ${vm.release}, drivers device_dax kmem`);
    expect(stdout).toMatch(/\/dev\/dax0\.0 +devdax +enabled +device_dax +510 MiB +2 MiB +0/);
  });

  it('maps raw memory: what is stored is in the memory all hosts share; only in pieces of the align', async () => {
    expect(await vm.call('kernel', 'openAndWrite', 'dax0.0', 4 * MIB, 'written by the VM')).toEqual({
      size: vm.dax.size,
      bytes: 2 * MIB,
    });
    const fd = fs.openSync(memory.path, 'r');
    const there = Buffer.alloc(17);
    fs.readSync(fd, there, 0, 17, vm.daxOffset + 4 * MIB);
    fs.closeSync(fd);
    expect(there.toString()).toBe('written by the VM');
    expect(await vm.call('kernel', 'mapped', 0, 4 * MIB)).toBe(4 * MIB);
    for (const [offset, length] of [
      [4096, 2 * MIB],
      [0, 4096],
      [vm.dax.size, 2 * MIB],
    ]) {
      await expect(vm.call('kernel', 'mapped', offset, length)).rejects.toMatchObject({ code: 'EINVAL' });
    }
  });

  it('is not unbound while a process has it open or mapped, which is named', async () => {
    const holders = await perform<{ pid: number; purpose: string }[]>('holders');
    expect(holders).toMatchObject([
      { device: 'dax0.0', purpose: 'open, mapped', command: expect.stringContaining('agent') },
    ]);
    for (const [method, ...args] of [
      ['disable', { force: true }],
      ['reconfigure', 'system-ram', { force: true }],
      ['borrowMode', 'system-ram'],
    ] as const) {
      await expect(perform(method, 'dax0.0', ...args)).rejects.toMatchObject({
        code: 'EBUSY',
        message: expect.stringContaining(`pid ${holders[0]!.pid}`),
      });
    }
    await vm.call('kernel', 'closeRaw');
    expect(await perform('holders')).toEqual([]);
    expect(await state()).toBe('device_dax');
  });

  it('becomes RAM of its node, block by block, and comes back', async () => {
    const megabytes = async () =>
      Number(/MemTotal: +(\d+)/.exec(await vm.output('cat /proc/meminfo'))![1]) >> 10;
    const before = await megabytes();
    expect(await perform('reconfigure', 'dax0.0', 'system-ram')).toMatchObject({
      ...{ mode: 'system-ram', driver: 'kmem', memory: { total: 3, online: 3, movable: 3 } },
    });
    expect((await megabytes()) - before).toBe(384);
    await expect(perform('reconfigure', 'dax0.0', 'devdax')).rejects.toMatchObject({ code: 'EBUSY' });
    await expect(perform('reconfigure', 'dax0.0', 'famfs', { force: true })).rejects.toMatchObject({
      code: 'EINVAL',
    });
    expect(await perform('offlineMemory', 'dax0.0')).toBe(3);
    expect(await state()).toBe('kmem 0/3');
    expect(await perform('onlineMemory', 'dax0.0')).toBe(3);
    expect(await perform('reconfigure', 'dax0.0', 'devdax', { force: true })).toMatchObject({
      mode: 'devdax',
    });
    expect(await megabytes()).toBe(before);
  });

  it('disabled: ENXIO names the function that enables it', async () => {
    await perform('disable', 'dax0.0');
    await expect(vm.call('kernel', 'namesOn', '/dev/dax0.0')).rejects.toMatchObject({
      code: 'ENXIO',
      message: expect.stringMatching(/dax0\.0 is disabled.*enable\('dax0\.0'\)/),
    });
    expect(await perform('enable', 'dax0.0')).toMatchObject({ state: 'enabled', mode: 'devdax' });
  });

  it('famfs mode: EOPNOTSUPP before Linux 7.0, and nothing is unbound', async () => {
    await expect(perform('reconfigure', 'dax0.0', 'famfs')).rejects.toMatchObject({
      code: 'EOPNOTSUPP',
      message: expect.stringContaining('Linux 7.0'),
    });
    expect(await state()).toBe('device_dax');
  });

  it('a module that is not loaded is loaded by modprobe; one that is not there is named', async () => {
    await vm.output('rmmod kmem');
    await expect(perform('reconfigure', 'dax0.0', 'system-ram')).rejects.toMatchObject({
      code: 'ENOENT',
      message: expect.stringMatching(/driver kmem.*modprobe/),
    });
    expect(await state()).toBe('device_dax');
    const modules = `/lib/modules/${vm.release}`;
    await vm.output(
      `mkdir -p ${modules} && cp /lib/modules/kmem.ko ${modules}/ && echo 'kmem.ko:' > ${modules}/modules.dep`,
    );
    expect(await perform('reconfigure', 'dax0.0', 'system-ram')).toMatchObject({ mode: 'system-ram' });
    await perform('reconfigure', 'dax0.0', 'devdax', { force: true });
  });

  it('--set-mode makes a file system on a device that is RAM, and gives the RAM back', async () => {
    await perform('reconfigure', 'dax0.0', 'system-ram');
    for (const [call, ...args] of [
      ['namesOn', '/dev/dax0.0'],
      ['openAndWrite', 'dax0.0', 0, 'x'],
    ] as const) {
      await expect(vm.call('kernel', call, ...args)).rejects.toMatchObject({
        code: 'ENXIO',
        message: expect.stringMatching(
          /in system-ram mode.*reconfigure\('dax0\.0', 'devdax', { force: true }\)/,
        ),
      });
    }
    const made = await udax('--kernel', '--set-mode', 'mkfs', '-f', 'dax0.0');
    expect(made).toMatchObject({ code: 0, stdout: expect.stringContaining('famfs of 510 MiB') });
    expect(made.stderr).toContain('what was written is lost');
    expect(await state()).toBe('kmem 3/3');
  });

  it('--set-mode gives the mode back when the command fails, with its exit status', async () => {
    expect((await udax('--set-mode', 'cat', '/dev/dax0.0:/no/such/file')).code).toBe(1);
    expect(await state()).toBe('kmem 3/3');
    await perform('reconfigure', 'dax0.0', 'devdax', { force: true });
    await perform('disable', 'dax0.0');
    expect((await udax('--set-mode', 'mkfs', '-f', '/dev/dax0.0')).code).toBe(0);
    expect(await state()).toBeNull();
  });

  const mounted = async () => {
    const mount = await vm.start('udax --set-mode mount -f /dev/dax0.0 /mnt 2>&1');
    await vm.callWithin(SLOW_MS, 'processes', 'outputWith', mount.pid, 'is at /mnt');
    return mount;
  };
  const ended = (pid: number) => vm.callWithin<Outcome>(SLOW_MS, 'processes', 'wait', pid);

  it('--set-mode gives the mode back after SIGINT, which the command gets', async () => {
    const mount = await mounted();
    expect(await state()).toBe('device_dax');
    await mount.kill('SIGINT');
    expect(await ended(mount.pid)).toMatchObject({ code: 0 });
    expect(await state()).toBeNull();
    expect(await vm.output('grep -c /mnt /proc/mounts || true')).toBe('0\n');
  });

  it('--set-mode gives the mode back when the command is killed by SIGKILL', async () => {
    const mount = await mounted();
    const inner = await vm.output(`cat /proc/${mount.pid}/task/${mount.pid}/children`);
    await vm.output(`kill -9 ${inner}`);
    expect(await ended(mount.pid)).toMatchObject({ code: 137 });
    expect(await state()).toBeNull();
    await udax('umount', '/mnt');
  });

  it('--set-mode of a mount in the background ends with the mount', async () => {
    expect(await udax('--kernel', '--set-mode', 'mount', 'dax0.0', '/mnt')).toMatchObject({ code: 0 });
    await vm.output('echo seen by the kernel > /mnt/a');
    expect(await vm.output('cat /mnt/a')).toBe('seen by the kernel\n');
    expect(await state()).toBe('device_dax');
    expect(await perform('holders')).toMatchObject([{ purpose: 'open, mapped' }]);
    expect(await udax('umount', '/mnt')).toMatchObject({ code: 0 });
    expect(await state()).toBeNull();
    await perform('enable', 'dax0.0');
    expect(await vm.call('kernel', 'namesOn', '/dev/dax0.0')).toEqual(['a']);
  });

  it('another user is told which permission is missing', async () => {
    await vm.output('mkdir -p /tmp/nobody && chown 65534:65534 /tmp/nobody && chmod 755 /root /udax');
    const asNobody = () => vm.callWithin<Refusals>(SLOW_MS, 'kernel', 'asNobody', '/dev/dax0.0');
    const { opened, changed, unseen, resource, size } = await asNobody();
    expect(opened).toMatch(/\/dev\/dax0\.0 is 0600 root:root.*run as root or add a udev rule.*EACCES/);
    expect(changed).toMatch(/drivers\/device_dax\/unbind is 0200 root:root.*EACCES/);
    expect({ seesOthers: unseen === 0, resource, size }).toEqual({
      seesOthers: false,
      resource: null,
      size: vm.dax.size,
    });
    await vm.output('chmod 666 /dev/dax0.0');
    expect(await asNobody()).toMatchObject({ opened: null });
    await vm.output('chmod 600 /dev/dax0.0');
    expect(await state()).toBe('device_dax');
  });

  it('doctor tells of the device', async () => {
    const { stdout } = await udax('--json', 'doctor');
    const findings = JSON.parse(stdout).findings as { subject: string; verdict: string; found: string }[];
    const dax = findings.filter(({ subject }) => /\bdax\b/.test(subject));
    expect(dax.map(({ subject, verdict }) => `${subject} ${verdict}`)).toEqual([
      ...['kernel dax bus ok', 'dax devices ok', 'dax modes ok'],
    ]);
    expect(dax[1]!.found).toBe('/dev/dax0.0 510 MiB, align 2 MiB, devdax mode');
  });

  it('a block that stays online, kernel memory in it: all are online again, and kmem is never unbound', async () => {
    await perform('reconfigure', 'dax0.0', 'system-ram', { online: false });
    expect(await perform('onlineMemory', 'dax0.0', { movable: false })).toBe(3);
    // Names and inodes are kernel memory that cannot move; they fill the new node's free pages first or soon.
    await vm.output('mkdir /tmp/many && cd /tmp/many && seq 60000 | xargs touch', { timeoutMs: 60_000 });
    await expect(perform('reconfigure', 'dax0.0', 'devdax', { force: true })).rejects.toMatchObject({
      code: 'EBUSY',
      message: expect.stringMatching(/memory block memory\d+ does not go offline/),
    });
    expect(await state()).toBe('kmem 3/3');
    const set = await udax('--set-mode', 'mkfs', '-f', '/dev/dax0.0');
    expect([set.code, set.stderr]).toEqual([1, expect.stringMatching(/does not go offline.*EBUSY/)]);
    expect(await state()).toBe('kmem 3/3');
  });
});

describe.skipIf(noVms)(
  `the dax bus of a real kernel: a device too small for a memory block${because}`,
  () => {
    it('a driver that refuses: the device is back in devdax mode', async () => {
      const memory = new SharedMemoryFile(96 * MIB);
      const vm = await VirtualMachine.start(assets, memory, { name: 'small' });
      try {
        const call = vm.call('kernel', 'perform', 'reconfigure', 'dax0.0', 'system-ram');
        await expect(call).rejects.toMatchObject({
          code: 'EINVAL',
          message: expect.stringMatching(/kmem does not take dax0\.0.*dax0\.0 is as it was before/),
        });
        expect(await vm.call('kernel', 'perform', 'deviceInfo', 'dax0.0')).toMatchObject({
          driver: 'device_dax',
        });
      } finally {
        await vm.kill();
        memory.close();
      }
    });
  },
);

describe.skipIf(noVms)(
  `the dax bus of a real kernel: soft-reserved memory (hmem), a dynamic region${because}`,
  () => {
    let memory: SharedMemoryFile;
    let vm: VirtualMachine;
    beforeAll(async () => {
      memory = new SharedMemoryFile(64 * MIB);
      const kernelParameters = 'memmap=256M%512M-1+0xefffffff';
      vm = await VirtualMachine.start(assets, memory, { name: 'hmem', kernelParameters });
    });
    afterAll(async () => {
      await vm?.kill();
      memory?.close();
    });

    const perform = <T>(method: string, ...args: unknown[]) =>
      vm.call<T>('kernel', 'perform', method, ...args);

    it('is found, and made a device for files', async () => {
      // Linux 6.1 gives it to device_dax, which takes every device there; later ones to kmem.
      expect(await perform('devices')).toMatchObject([
        {
          name: 'dax0.0',
          driver: 'device_dax',
          size: 256 * MIB,
          resource: 512 * MIB,
          persistent: false,
          dataOffset: null,
        },
      ]);
      expect(await perform('regions')).toMatchObject([{ provider: 'hmem', static: false, availableSize: 0 }]);
      expect(await perform('reconfigure', 'dax0.0', 'devdax', { force: true })).toMatchObject({
        driver: 'device_dax',
      });
      expect(await vm.call('kernel', 'filesOn', 'dax0.0')).toEqual(['made']);
      // The node is closed again, or this would be refused.
      expect(await perform('holders')).toEqual([]);
      expect(await perform('disable', 'dax0.0')).toMatchObject({ state: 'disabled' });
    });

    it('is carved into devices, which are destroyed again', async () => {
      await perform('destroyDevice', 'dax0.0', { force: true });
      expect(await perform('deviceInfo', 'dax0.0')).toMatchObject({ size: 0, state: 'disabled' });
      expect(await perform('createDevice', 0, { size: '64MiB' })).toMatchObject({
        name: 'dax0.1',
        driver: 'device_dax',
      });
      expect(await perform('createDevice', 0)).toMatchObject({ name: 'dax0.2', size: 192 * MIB });
      await expect(perform('createDevice', 0, { size: '2MiB' })).rejects.toMatchObject({ code: 'ENOSPC' });
      await perform('destroyDevice', 'dax0.1', { force: true });
      await expect(perform('createDevice', 0, { size: 4096 })).rejects.toMatchObject({ code: 'EINVAL' });
      const left = await perform<{ name: string }[]>('devices');
      expect(left.map(({ name }) => name)).toEqual(['dax0.0', 'dax0.2']);
      const everything = { devices: true, regions: true, mappings: true, idle: true };
      expect(await vm.call('kernel', 'list', everything)).toBe(await vm.output('daxctl list -DRM -i'));
    });
  },
);

interface Refusals {
  opened: string | null;
  changed: string | null;
  unseen: number;
  resource: number | null;
  size: number;
}

interface DeviceFacts {
  driver: string | null;
  mode: string;
  memory: { total: number; online: number } | null;
}
