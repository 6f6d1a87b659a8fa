// What ndctl's own tests of dax devices check (a table in proof/peers/ lists it, with the other tests of ours that check it too):
// here on the VM's kernel with the packaged daxctl and ndctl, and where it can be, with the same daxctl on an emulated machine.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { because as becauseNoMounts, have, noMounts, Place } from '../mounts/support.js';
import { DEAD_MOUNT } from '../support/dead-mount.js';
import {
  assets,
  because,
  MIB,
  noVms,
  type Outcome,
  SharedMemoryFile,
  VirtualMachine,
} from './support/index.js';

vi.setConfig({ testTimeout: 300_000 });

const REGION_BYTES = 256 * MIB;

/** Carves region 0 in every way; each line tells mappings of devices, or free bytes. `$1` is the size of the region. */
const CARVE = `
mappings() { ls -d /sys/bus/dax/devices/$1/mapping[0-9]* 2>/dev/null | wc -l; }
free() { echo $(daxctl list -R | sed -n 's/.*"available_size":\\([0-9]*\\).*/\\1/p'); }
new() { daxctl create-device -r 0 -s $1 2>/dev/null | sed -n 's/.*"chardev":"\\([^"]*\\)".*/\\1/p'; }
gone() { daxctl disable-device $1 >/dev/null 2>&1; daxctl destroy-device $1 >/dev/null 2>&1; }
resize() { daxctl disable-device $1 >/dev/null 2>&1; daxctl reconfigure-device -s $2 $1 >/dev/null 2>&1; }
all=$1; quarter=$((all / 4)); eighth=$((all / 8))
resize dax0.0 0; echo empty: free $(free)
a=$(new $all); echo whole: $(mappings $a) mapping, free $(free); gone $a; echo again: free $(free)
resize dax0.0 $quarter; a=$(new $quarter); b=$(new $quarter); gone $a
c=$(new $((quarter * 2))); echo hole and end: $(mappings $c) mappings, free $(free); gone $b; gone $c; resize dax0.0 0
a=$(new $quarter); b=$(new $quarter); c=$(new $quarter); gone $a
d=$(new $((quarter * 2))); echo start and end: $(mappings $d) mappings, free $(free); gone $b; gone $c; gone $d
resize dax0.0 $eighth; a=$(new $eighth)
for n in 2 3 4; do resize dax0.0 $((eighth * n)); resize $a $((eighth * n)); done
echo in turn: $(mappings dax0.0) and $(mappings $a) mappings, free $(free); gone $a; resize dax0.0 0
a=$(new $quarter); b=$(new $quarter); c=$(new $quarter); d=$(new $quarter); gone $a; gone $d
resize $b $((quarter * 2)); echo before it: $(mappings $b) mappings; resize $c $((quarter * 2)); echo behind it: $(mappings $c) mapping
gone $b; gone $c; echo at the end: free $(free)
`;

const carved = [
  `empty: free ${REGION_BYTES}`,
  'whole: 1 mapping, free',
  `again: free ${REGION_BYTES}`,
  'hole and end: 2 mappings, free',
  'start and end: 2 mappings, free',
  'in turn: 4 and 4 mappings, free',
  'before it: 2 mappings',
  'behind it: 1 mapping',
  `at the end: free ${REGION_BYTES}`,
];

describe.skipIf(noVms)(`daxctl-create: a region is carved into devices${because}`, () => {
  it('by the kernel', async () => {
    const memory = new SharedMemoryFile(64 * MIB);
    const kernelParameters = 'memmap=256M%512M-1+0xefffffff';
    const vm = await VirtualMachine.start(assets, memory, { name: 'carve', kernelParameters });
    try {
      const script = `cat > /tmp/carve <<'END'\n${CARVE}\nEND\nsh /tmp/carve ${REGION_BYTES}`;
      expect((await vm.run(script, { timeoutMs: 200_000 })).stdout.trim().split('\n')).toEqual(carved);
    } finally {
      await vm.kill();
      memory.close();
    }
  });

  it.skipIf(noMounts !== '' || !have('daxctl'))(
    `by udax, with the same daxctl${becauseNoMounts || ' (needs daxctl)'}`,
    () => {
      const place = new Place();
      try {
        expect(place.udax('create-region', '-s', String(REGION_BYTES), '--sparse').status).toBe(0);
        const { stdout } = place.udax('shell', '--', 'sh', '-c', CARVE, 'sh', String(REGION_BYTES));
        expect(stdout.trim().split('\n')).toEqual(carved);
      } finally {
        place.close();
      }
    },
  );
});

describe.skipIf(noVms)(`device-dax, daxctl-devices: an NVDIMM${because}`, () => {
  let memory: SharedMemoryFile;
  let vm: VirtualMachine;
  beforeAll(async () => {
    memory = new SharedMemoryFile(512 * MIB);
    vm = await VirtualMachine.start(assets, memory, { name: 'ndctl' });
  });
  afterAll(async () => {
    await vm?.kill();
    memory?.close();
  });

  const perform = <T>(method: string, ...args: unknown[]) => vm.call<T>('kernel', 'perform', method, ...args);
  const mode = async () => (await perform<{ mode: string }>('deviceInfo', 'dax0.0')).mode;
  const modeOfDaxctl = async () => JSON.parse(await vm.output('daxctl list -d dax0.0'))[0].mode;
  const policy = (word: string) => vm.output(`echo ${word} > /sys/devices/system/memory/auto_online_blocks`);

  it('becomes RAM offline, online, and comes back, with and without force; daxctl sees the same mode', async () => {
    await policy('offline');
    const modes: string[] = [];
    const see = async () => void modes.push(`${await mode()} ${await modeOfDaxctl()}`);
    await perform('reconfigure', 'dax0.0', 'system-ram', { online: false });
    await see();
    expect(await perform('onlineMemory', 'dax0.0')).toBe(3);
    expect(await perform('offlineMemory', 'dax0.0')).toBe(3);
    await perform('reconfigure', 'dax0.0', 'devdax');
    await see();
    await perform('reconfigure', 'dax0.0', 'system-ram');
    await see();
    await perform('reconfigure', 'dax0.0', 'devdax', { force: true });
    await see();
    expect(modes).toEqual([
      'system-ram system-ram',
      'devdax devdax',
      'system-ram system-ram',
      'devdax devdax',
    ]);
  });

  it('its namespace is not taken away while it is RAM, and nothing has changed by the attempt', async () => {
    await perform('reconfigure', 'dax0.0', 'system-ram');
    const { code } = await vm.run('ndctl disable-namespace namespace0.0', { timeoutMs: 60_000 });
    expect(code).not.toBe(0);
    expect([await mode(), await modeOfDaxctl()]).toEqual(['system-ram', 'system-ram']);
    await perform('reconfigure', 'dax0.0', 'devdax', { force: true });
    expect(await mode()).toBe('devdax');
  });

  it('offline RAM is refused, as by daxctl, where the kernel brings all memory online by itself', async () => {
    await policy('online');
    try {
      expect((await vm.run('daxctl reconfigure-device -N -m system-ram dax0.0')).code).not.toBe(0);
      await expect(perform('reconfigure', 'dax0.0', 'system-ram', { online: false })).rejects.toMatchObject({
        code: 'EBUSY',
        message: expect.stringContaining('auto_online_blocks'),
      });
      expect(await mode()).toBe('devdax');
    } finally {
      await policy('offline');
    }
  });

  it('unbound past udax under a mount: the daemon ends by SIGBUS, its users get errors, umount says why, the data is there', async () => {
    await vm.output(
      'udax mkfs -f /dev/dax0.0 && mkdir -p /mnt && udax mount --settle 0 /dev/dax0.0 /mnt && echo hello > /mnt/a',
      { timeoutMs: 100_000 },
    );
    await vm.output('echo dax0.0 > /sys/bus/dax/drivers/device_dax/unbind');
    const { code, stderr } = await vm.run('cat /mnt/a');
    expect([code, stderr]).toEqual([1, expect.stringMatching(DEAD_MOUNT)]);
    const ended = await vm.run('udax umount /mnt', { timeoutMs: 100_000 });
    expect([ended.code, ended.stdout]).toEqual([0, expect.stringMatching(/was ended by SIGBUS/)]);
    await vm.output('echo dax0.0 > /sys/bus/dax/drivers/device_dax/bind');
    expect(await vm.call('kernel', 'namesOn', '/dev/dax0.0')).toEqual(['a']);
  });

  it('a block device, then devdax: what was written is what is mapped, read-only too; a fault after the reset is SIGBUS', async () => {
    // The other kind of page structs (-M dev) is in the memory itself, for both modes at the same place.
    const asMode = (word: string) =>
      vm.output(`ndctl create-namespace -f -e namespace0.0 -m ${word} -M dev -a 2M`, { timeoutMs: 100_000 });
    await asMode('fsdax');
    await vm.output('seq 100000 | head -c 65536 > /tmp/seq; dd if=/tmp/seq of=/dev/pmem0 bs=4k conv=fsync');
    await asMode('devdax');
    const script = `
      import { openKernel } from 'udax';
      const machine = openKernel();
      const dax = machine.openDax('dax0.0', { writable: process.argv[2] === 'store' });
      const view = dax.mmap({ offset: 0, length: 2 ** 21 });
      if (process.argv[2] !== 'store') process.stdout.write(view.subarray(0, 65536));
      else {
        console.log('mapped');
        process.once('SIGHUP', () => { view[2 ** 20] = 1; console.log('stored'); process.exit(); });
        setInterval(() => {}, 1000);
      }`;
    await vm.output(`cat > /udax/reader.mjs <<'END'\n${script}\nEND`);
    await vm.output('cd /udax && node reader.mjs read > /tmp/seen; cmp /tmp/seq /tmp/seen', {
      timeoutMs: 100_000,
    });
    const user = await vm.start('node /udax/reader.mjs store');
    await vm.callWithin(100_000, 'processes', 'outputWith', user.pid, 'mapped');
    await vm.output('ndctl disable-namespace namespace0.0', { timeoutMs: 60_000 });
    await user.kill('SIGHUP');
    const ended = await vm.callWithin<Outcome>(100_000, 'processes', 'wait', user.pid);
    expect([ended.signal, ended.stdout]).toEqual(['SIGBUS', 'mapped\n']);
  });
});
