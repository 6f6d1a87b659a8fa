/** examples/qemu-guest: the host of a virtual machine reads what the guest publishes on its NVDIMM, while the guest has it mounted. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assets, because, MIB, noVms, SharedMemoryFile, VirtualMachine } from './support/index.js';

const DEVICE = '/dev/dax0.0';
const example = path.resolve(import.meta.dirname, '../../examples/qemu-guest/main.mjs');

describe.skipIf(noVms)(`a guest and its host on one memory${because}`, () => {
  let memory: SharedMemoryFile;
  let vm: VirtualMachine;
  let volume: number;

  beforeAll(async () => {
    memory = new SharedMemoryFile(128 * MIB);
    vm = await VirtualMachine.start(assets, memory);
    await vm.call('volumes', 'mkfs', DEVICE);
    ({ number: volume } = await vm.call<{ number: number }>('volumes', 'open', DEVICE));
  });
  afterAll(async () => {
    await vm?.kill();
    memory?.close();
  });

  it('the device of the guest begins where the example says', () => {
    expect(vm.dax.offset).toBe(2 * MIB);
  });

  it('the host reads what is there, is told of what is new, and ends without a trace', async () => {
    await vm.call('volumes', 'create', volume, '/first', { size: 3 * MIB });
    await vm.call('volumes', 'store', volume, '/first', 'from the guest\nmore');
    const host = spawn(process.execPath, [example, memory.path], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    host.stdout.on('data', (text) => {
      output += text;
    });
    host.stderr.on('data', (text) => {
      output += text;
    });
    const ended = new Promise((resolve) => host.once('exit', resolve));
    try {
      await expect.poll(() => output).toContain(`/first (${3 * MIB} bytes): from the guest\n`);
      expect(output).toMatch(/^client of what the guest has published:\n/);
      await vm.call('volumes', 'ask', volume, 'mkdir', '/later');
      await vm.output('printf "made later" > /tmp/made');
      await vm.call('volumes', 'ask', volume, 'copyIn', '/tmp/made', '/later/file');
      await expect.poll(() => output).toContain('new: /later/file (10 bytes): made later\n');
    } finally {
      host.kill('SIGTERM');
    }
    expect(await ended).toBe(0);
    // The guest goes on, and nothing of the memory was changed by the host.
    expect(await vm.call('volumes', 'fsck', DEVICE)).toMatchObject({ ok: true });
  });
});
