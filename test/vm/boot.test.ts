import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  assets,
  because,
  GuestError,
  MIB,
  noVms,
  SharedMemoryFile,
  VirtualMachine,
} from './support/index.js';

describe.skipIf(noVms)(`a VM with a dax device${because}`, () => {
  let memory: SharedMemoryFile;
  let vm: VirtualMachine;
  beforeAll(async () => {
    memory = new SharedMemoryFile(256 * MIB);
    vm = await VirtualMachine.start(assets, memory, { name: 'first' });
  });
  afterAll(async () => {
    await vm?.kill();
    memory?.close();
  });

  it('runs the packaged kernel and shows a dax device of 2 MiB align', async ({ annotate }) => {
    await annotate(`boot to the agent's first word: ${(vm.bootMs / 1000).toFixed(1)} s`, 'figure');
    expect((await vm.output('uname -r')).trim()).toBe(assets.release);
    expect(vm.dax).toEqual({ path: '/dev/dax0.0', size: 254 * MIB, align: 2 * MIB, offset: 2 * MIB });
    const listed = JSON.parse(await vm.output('daxctl list'));
    expect(listed).toMatchObject([{ chardev: 'dax0.0', size: 254 * MIB, mode: 'devdax' }]);
  });

  it('runs programs with their exit code and both outputs', async () => {
    expect(await vm.run('echo out; echo err >&2; exit 3')).toEqual({
      code: 3,
      signal: null,
      stdout: 'out\n',
      stderr: 'err\n',
    });
    expect(await vm.run('cat', { input: 'in' })).toMatchObject({ code: 0, stdout: 'in' });
    expect(await vm.run('sleep 20', { timeoutMs: 100 })).toMatchObject({ code: null, signal: 'SIGKILL' });
  });

  it('runs Node scripts that import udax, and the udax command', async () => {
    const script = "import * as udax from 'udax'; console.log(typeof udax.mountFamfs)";
    expect(await vm.node(script)).toMatchObject({ code: 0, stdout: 'function\n' });
    expect(await vm.udax('--version')).toMatchObject({ code: 0 });
  });

  it('calls functions of the agent, waiting for them or not, and throws what they throw', async () => {
    expect(await vm.call('files', 'read', '/opt/famfs/system_uuid')).toBe(`${vm.uuid}\n`);
    expect(vm.callSync('files', 'read', '/opt/famfs/system_uuid')).toBe(`${vm.uuid}\n`);
    await expect(vm.call('files', 'read', '/no')).rejects.toMatchObject({ code: 'ENOENT' });
    expect(() => vm.callSync('files', 'read', '/no')).toThrow(GuestError);
  });

  it('says what the console said when a call does not come back', async () => {
    await vm.run('echo here is the console > /dev/console');
    await expect(vm.callWithin(50, 'processes', 'run', 'sleep 1')).rejects.toThrow(/here is the console/);
  });

  it('shares its memory with a second VM, which finds the same device and makes no new one', async () => {
    const other = await VirtualMachine.start(assets, memory, { name: 'second' });
    try {
      expect(other.dax).toEqual(vm.dax);
      expect(await other.call('files', 'exists', '/tmp/ndctl.log')).toBe(false);
      expect(await vm.call('files', 'exists', '/tmp/ndctl.log')).toBe(true);
    } finally {
      await other.kill();
    }
    await expect(other.run('true')).rejects.toThrow(/killed|ended/);
  });
});
