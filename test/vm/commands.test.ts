import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assets, because, MIB, noVms, SharedMemoryFile, VirtualMachine } from './support/index.js';

const DEVICE = '/dev/dax0.0';

describe.skipIf(noVms)(`udax commands on /dev/dax0.0${because}`, () => {
  let memory: SharedMemoryFile;
  let vm: VirtualMachine;
  beforeAll(async () => {
    memory = new SharedMemoryFile(256 * MIB);
    vm = await VirtualMachine.start(assets, memory);
    // Like a used device: nothing may rely on zeroes.
    await vm.call('raw', 'scribble', DEVICE, 64 * MIB);
    await vm.done('mkfs', DEVICE);
  });
  afterAll(async () => {
    await vm?.kill();
    memory?.close();
  });

  it('mkfs does not overwrite a famfs unasked, and does when forced', async () => {
    expect(await vm.command('mkfs', DEVICE)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/already has a famfs.*\(EEXIST\)/),
    });
    expect(await vm.done('mkfs', '-f', DEVICE)).toMatch(/254 MiB/);
  });

  it('info knows the memory: a dax device, whole 2 MiB, persistent', async () => {
    expect(JSON.parse(await vm.done('--json', 'info', DEVICE))).toMatchObject({
      role: 'master',
      memory: { kind: 'devdax', granule: 2 * MIB, coherent: true, persistent: true },
    });
  });

  it('creat makes a striped file with a pattern; verify, chkread and getmap agree', async () => {
    const file = `${DEVICE}:/striped`;
    await vm.done('creat', '-s', '9M', '-N', '3', '-B', '3', '-C', '2M', '-r', '-S', '42', file);
    await vm.done('verify', '-S', '42', file);
    await vm.done('chkread', file);
    expect(await vm.command('verify', '-S', '43', file)).toMatchObject({ code: 1 });
    expect(JSON.parse(await vm.done('--json', 'getmap', file))).toMatchObject({ size: 9 * MIB });
  });

  it('cp in, cp out and cat keep every byte; each a process of its own', async () => {
    await vm.output(`head -c 5432109 /dev/urandom > /tmp/in; udax cp /tmp/in ${DEVICE}:/file`);
    await vm.output(`udax cp ${DEVICE}:/file /tmp/out && cmp /tmp/in /tmp/out`);
    await vm.output(`udax cat ${DEVICE}:/file | cmp - /tmp/in`);
  });

  it('mkdir and ls', async () => {
    await vm.done('mkdir', '-p', `${DEVICE}:/a/b`);
    expect(await vm.done('ls', '-R', `${DEVICE}:/`)).toBe('/a/\n/a/b/\n/file\n/striped\n');
  });

  it('fsck is clean; with one flipped bit in the log it is not, names the entry, and exits 1', async () => {
    expect(await vm.done('fsck', DEVICE)).toContain(': clean');
    // Flips a bit of entry 1 through the memory file under the VM, as if the memory had failed.
    const place = vm.daxOffset + 2 * MIB + 48 + 544 + 100;
    memory.flipBit(place);
    const { code, stdout } = await vm.command('fsck', DEVICE);
    expect([code, stdout]).toEqual([1, expect.stringContaining('entry 1')]);
    memory.flipBit(place);
    await vm.done('fsck', DEVICE);
  });

  it('a queue: create, put, get', async () => {
    const queue = `${DEVICE}:/q`;
    await vm.done('pcq', 'create', '-n', '16', '-b', '64', queue);
    await vm.done('pcq', 'put', queue, 'hello', 'world');
    expect(await vm.done('pcq', 'get', '-T', '-a', queue)).toBe('hello\nworld\n');
  });

  it('doctor finds the dax bus', async () => {
    const { findings } = JSON.parse(await vm.done('--json', 'doctor')) as {
      findings: { subject: string; verdict: string; found: string }[];
    };
    expect(findings).toContainEqual(
      expect.objectContaining({
        subject: 'kernel dax bus',
        verdict: 'ok',
        found: expect.stringMatching(/1 device \(dax0\.0\).*device_dax/),
      }),
    );
  });

  it('a region of an emulated machine can lie on it, with a famfs of its own', async () => {
    const machine = (...words: string[]) => vm.done('--root', '/tmp/machine', ...words);
    await machine('create-region', '-b', DEVICE, '--offset', '128M', '-s', '64M');
    await machine('reconfigure-device', '-m', 'famfs', 'dax0.0');
    await machine('mkfs', 'dax0.0');
    await machine('cp', '/tmp/in', 'dax0.0:/in');
    await machine('cp', 'dax0.0:/in', '/tmp/in.back');
    await vm.output('cmp /tmp/in /tmp/in.back');
    await machine('fsck', 'dax0.0');
  });

  it('a node that is no dax device, and one this user may not open, are refused by name', async () => {
    const { stderr } = await vm.command('info', '/dev/null');
    expect(stderr).toMatch(/\/dev\/null.*not a dax device.*\(ENODEV\)/);
    const nobody = await vm.run(`su nobody -s /bin/sh -c 'HOME=/tmp udax info ${DEVICE}'`);
    expect([nobody.code, nobody.stderr]).toEqual([1, expect.stringMatching(/dax0\.0.*\(EACCES\)/)]);
  });
});
