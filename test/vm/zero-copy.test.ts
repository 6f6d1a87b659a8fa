import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  assets,
  backported,
  extentMaps,
  MIB,
  reasonOf,
  SharedMemoryFile,
  VirtualMachine,
} from './support/index.js';

/** A process of udax takes 3 s to start in software emulation, several times that on a busy machine. */
const SLOW_MS = 100_000;
vi.setConfig({ testTimeout: 4 * SLOW_MS });

/** The newest kernel that has no extent maps: the backported one has fsdev_dax, which the distribution's own has not. */
const without = backported.reason === '' ? backported : assets;

/** A VM of a kernel, for the tests of a describe block. */
function vmOf(kernel: typeof assets): () => VirtualMachine {
  let memory: SharedMemoryFile;
  let vm: VirtualMachine;
  beforeAll(async () => {
    memory = new SharedMemoryFile(512 * MIB);
    vm = await VirtualMachine.start(kernel, memory, { name: 'zero-copy' });
    await vm.output('mkdir -p /mnt/z');
    await vm.call('volumes', 'mkfs', '/dev/dax0.0');
  });
  afterAll(async () => {
    await vm?.kill();
    memory?.close();
  });
  return () => vm;
}

const udaxOf =
  (vm: () => VirtualMachine) =>
  (...words: string[]) =>
    vm().run(`udax ${words.join(' ')}`, { timeoutMs: SLOW_MS });

describe.skipIf(without.reason !== '')(
  `a real device on a kernel without extent maps${reasonOf(without)}`,
  () => {
    const vm = vmOf(without);
    const udax = udaxOf(vm);

    it('auto says in one line why the mount is an ordinary one, and the device keeps its mode', async () => {
      const { code, stderr } = await udax('mount', '/dev/dax0.0', '/mnt/z');
      expect(stderr).toMatch(
        /^udax: no zero-copy mount of \/dev\/dax0\.0: this kernel offers no extent maps to FUSE: Linux 7\.4 and later do; its files are served through copies\n$/,
      );
      expect(code).toBe(0);
      expect((await udax('umount', '/mnt/z')).code).toBe(0);
      expect(await vm().output('basename $(readlink -f /sys/bus/dax/devices/dax0.0/driver)')).toBe(
        'device_dax\n',
      );
    });

    it('always is EOPNOTSUPP, and mounts nothing', async () => {
      const { code, stderr } = await udax('mount', '--zero-copy always', '/dev/dax0.0', '/mnt/z');
      expect(stderr).toContain('(EOPNOTSUPP)');
      expect(code).toBe(1);
      expect(await vm().output('grep -c /mnt/z /proc/mounts || true')).toBe('0\n');
    });
  },
);

describe.skipIf(extentMaps.reason !== '')(`a zero-copy mount of /dev/dax0.0${reasonOf(extentMaps)}`, () => {
  const vm = vmOf(extentMaps);
  const udax = udaxOf(vm);
  const warnings = () => vm().output("dmesg | grep -cE 'WARNING|BUG|Oops' || true");

  it('hands the device to the kernel; new files are mapped once they are published', async () => {
    expect(await udax('mount', '--zero-copy always --settle 0', '/dev/dax0.0', '/mnt/z')).toMatchObject({
      code: 0,
    });
    expect(await vm().output('basename $(readlink -f /sys/bus/dax/devices/dax0.0/driver)')).toBe(
      'fsdev_dax\n',
    );
    await vm().output('head -c 5000000 /dev/urandom > /tmp/a && cp /tmp/a /mnt/z/a && cmp /tmp/a /mnt/z/a');
    // STATX_ATTR_DAX shows once the kernel has looked the name up again.
    await vm().output(
      'for i in $(seq 50); do stat -c %i /mnt/z/a > /dev/null; cmp /tmp/a /mnt/z/a && break; sleep 0.1; done',
    );
    expect(await warnings()).toBe('0\n');
  });

  it('gives the library mappings of its files', async () => {
    const { stdout, stderr } = await vm().node(`
      import { mountFamfs } from 'udax';
      import fs from 'node:fs';
      const volume = mountFamfs('/mnt/z');
      const same = Buffer.compare(Buffer.from(volume.open('/a').map()), fs.readFileSync('/tmp/a'));
      volume.close();
      console.log(same);`);
    expect({ stdout, stderr }).toEqual({ stdout: '0\n', stderr: '' });
    expect(await warnings()).toBe('0\n');
  });

  it('a mode change is EBUSY and names the mount', async () => {
    const { code, stderr } = await udax('--kernel', 'reconfigure-device -m devdax dax0.0');
    expect(code).toBe(1);
    expect(stderr).toContain('EBUSY');
  });

  it('umount(8) ends it, and the device has its mode again', async () => {
    await vm().output('umount /mnt/z');
    await vm().output(
      'for i in $(seq 100); do [ "$(basename $(readlink -f /sys/bus/dax/devices/dax0.0/driver))" = device_dax ] && exit 0; sleep 0.1; done; exit 1',
    );
    expect(await warnings()).toBe('0\n');
    await vm().done('fsck', '/dev/dax0.0');
  });
});
