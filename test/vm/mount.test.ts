import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { everywhere, famfsRules, mountOnly, onDirectories, runs } from '../mounts/posix/behaviours.js';
import { type DirectoryFace, directoryFace, type Perform } from '../mounts/posix/faces.js';
import { DEAD_MOUNT } from '../support/dead-mount.js';
import { assets, because, MIB, noVms, SharedMemoryFile, VirtualMachine } from './support/index.js';

const DEVICE = '/dev/dax0.0';

let memory: SharedMemoryFile;
let vm: VirtualMachine;

beforeAll(async () => {
  if (noVms) return;
  memory = new SharedMemoryFile(512 * MIB);
  vm = await VirtualMachine.start(assets, memory);
  await vm.call('volumes', 'mkfs', DEVICE);
  await vm.output('mkdir /mnt/famfs /mnt/settling /mnt/at-once');
  await vm.output(`udax mount ${DEVICE} /mnt/famfs`);
  await vm.output(`udax mount --settle 600 ${DEVICE} /mnt/settling`);
  await vm.output(`udax mount --plain --settle 0 ${DEVICE} /mnt/at-once`);
});
afterAll(async () => {
  await vm?.kill();
  memory?.close();
});

describe(`POSIX behaviours on a FUSE mount of /dev/dax0.0${because}`, () => {
  let settling: DirectoryFace;
  let atOnce: DirectoryFace;
  beforeAll(() => {
    const perform: Perform = (words) => vm.callSync('posix', 'perform', words);
    settling = directoryFace('/mnt/settling', perform);
    atOnce = directoryFace('/mnt/at-once', perform);
  });
  // While nothing is published, the mount behaves like any file system.
  runs([...everywhere, ...onDirectories], () => settling, noVms);
  runs([...famfsRules, ...mountOnly], () => atOnce, noVms);
});

describe.skipIf(noVms)(`programs on a FUSE mount of /dev/dax0.0${because}`, () => {
  const at = '/mnt/famfs';
  const second = '/mnt/second';

  it('cp into the mount, and every way to read it back, keep every byte', async () => {
    await vm.output(`head -c 3210987 /dev/urandom > /tmp/source; cp /tmp/source ${at}/copy`);
    const sums = await vm.output(
      `for how in 'cat /tmp/source' 'cat ${at}/copy' 'dd if=${at}/copy bs=16k' 'tail -c +1 ${at}/copy'; ` +
        `do $how 2>/dev/null | sha256sum; done`,
    );
    expect(new Set(sums.trim().split('\n')).size).toBe(1);
    expect((await vm.output(`stat -c %s ${at}/copy`)).trim()).toBe('3210987');
  });

  it('a tree that tar unpacks into the mount is listed, found and read by busybox', async () => {
    await vm.output(
      `mkdir -p /tmp/tree/a/b; for n in 1 2 3 4 5; do echo file $n > /tmp/tree/a/b/$n; done; cp /bin/busybox /tmp/tree/a`,
    );
    await vm.output(`tar -c -C /tmp tree | tar -x -C ${at}`);
    const sums = (root: string) => vm.output(`cd ${root} && find . -type f | sort | xargs sha256sum`);
    expect(await sums(`${at}/tree`)).toBe(await sums('/tmp/tree'));
    expect(await vm.output(`${at}/tree/a/busybox echo runs from the mount`)).toBe('runs from the mount\n');
  });

  it('a file is written in place and past its end, and the library sees it', async () => {
    await vm.done('creat', '-s', '4M', `${DEVICE}:/fixed`);
    await vm.output(`echo -n stored | dd of=${at}/fixed bs=1 seek=3000000 conv=notrunc`);
    const { number } = await vm.call<{ number: number }>('volumes', 'open', DEVICE);
    expect(await vm.call('volumes', 'load', number, '/fixed', 3_000_000, 6)).toBe('stored');
    await vm.call('volumes', 'store', number, '/fixed', 'other', 3_000_000);
    expect(await vm.output(`dd if=${at}/fixed bs=1 skip=3000000 count=6`)).toBe('otherd');
    await vm.call('volumes', 'close', number);
    await vm.output(`dd if=/dev/zero of=${at}/fixed bs=1M seek=4 count=1 conv=notrunc,fsync`);
    expect(await vm.output(`stat -c %s ${at}/fixed`)).toBe('5242880\n');
    expect((await vm.run(`udax ls -l ${DEVICE}:/fixed`)).stdout).toContain('5242880');
  });

  it('df tells the volume, not the file system under it', async () => {
    const [, line] = (await vm.output(`df -m ${at}`)).trim().split('\n');
    expect(line!.split(/\s+/).slice(0, 2)).toEqual([DEVICE, '510']);
  });

  it('a file that another process creates appears by itself', async () => {
    expect((await vm.run(`stat ${at}/late`)).code).toBe(1);
    await vm.done('creat', '-s', '1M', `${DEVICE}:/late`);
    await vm.output(`for i in $(seq 50); do stat ${at}/late && exit 0; sleep 0.1; done; exit 1`);
  });

  it('kill -9 of the daemon: its users get errors and nobody hangs; fsck is clean', async () => {
    const pid = /pid (\d+)/.exec(await vm.output(`mkdir ${second}; udax mount ${DEVICE} ${second}`))![1]!;
    // A new file that is growing when the daemon dies is gone, and its space is free.
    const writer = await vm.start(
      `sh -c 'exec 3> ${second}/half; head -c 5000000 /dev/zero >&3; echo open; sleep 60'`,
    );
    await writer.outputWith('open');
    await vm.output(`kill -9 ${pid}`);
    const { code, stderr } = await vm.run(`cat ${second}/copy`);
    expect([code, stderr]).toEqual([1, expect.stringMatching(DEAD_MOUNT)]);
    await writer.kill('SIGKILL');
    expect(await vm.call('volumes', 'fsck', DEVICE)).toMatchObject({ errors: [] });
  });

  it('a new mount where the dead one was has every file whole; umount ends its daemon', async () => {
    const pid = /pid (\d+)/.exec(await vm.output(`udax mount ${DEVICE} ${second}`))![1]!;
    const [a, b] = (await vm.output(`sha256sum ${second}/copy /tmp/source`)).split('\n');
    expect(a!.slice(0, 64)).toBe(b!.slice(0, 64));
    expect((await vm.run(`stat ${second}/half`)).code).toBe(1);
    await vm.done('umount', second);
    // Its record is gone; the process itself follows.
    await vm.output(`for i in $(seq 50); do kill -0 ${pid} 2>/dev/null || exit 0; sleep 0.1; done; exit 1`);
    expect(await vm.output(`mount | grep -c ${second} || true`)).toBe('0\n');
  });

  it('a mounted device is busy for mkfs, and free as soon as umount is done', async () => {
    expect(await vm.command('mkfs', '-f', DEVICE)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('EBUSY'),
    });
    for (const mountpoint of ['/mnt/settling', '/mnt/at-once', at]) await vm.done('umount', mountpoint);
    await vm.done('mkfs', '-f', DEVICE);
  });
});
