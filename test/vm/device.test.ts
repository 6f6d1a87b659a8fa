import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assets, because, MIB, median, noVms, SharedMemoryFile, VirtualMachine } from './support/index.js';

const DEVICE = '/dev/dax0.0';

interface Comparison {
  times: { mapped: number[]; plain: number[] };
  sums: { mapped: number; plain: number };
  bytes: number;
}

let memory: SharedMemoryFile;
let vm: VirtualMachine;
beforeAll(async () => {
  if (noVms) return;
  memory = new SharedMemoryFile(128 * MIB);
  vm = await VirtualMachine.start(assets, memory);
});
afterAll(async () => {
  await vm?.kill();
  memory?.close();
});

describe.skipIf(noVms)(`the kernel's own rules for /dev/dax0.0${because}`, () => {
  const mapping = (options: object) => vm.call('raw', 'tryMmap', DEVICE, options);

  it('whole granules of 2 MiB can be mapped, shared', async () => {
    expect(await mapping({ length: 4 * MIB, offset: 2 * MIB })).toBe('mapped');
  });
  it('an offset, a length or an address that is no multiple of 2 MiB is EINVAL', async () => {
    expect(await mapping({ length: 2 * MIB, offset: 4096 })).toBe('EINVAL');
    expect(await mapping({ length: 4096 })).toBe('EINVAL');
    expect(await mapping({ length: 2 * MIB + 4096 })).toBe('EINVAL');
    expect(await mapping({ length: 2 * MIB, atOffset: 4096 })).toBe('EINVAL');
    expect(await mapping({ length: 2 * MIB, atOffset: 2 * MIB })).toBe('mapped');
  });
  it('a private mapping is EINVAL, and so are read(2) and write(2)', async () => {
    expect(await mapping({ length: 2 * MIB, kind: 'private' })).toBe('EINVAL');
    expect(await vm.call('raw', 'tryCalls', DEVICE)).toEqual({ read: 'EINVAL', write: 'EINVAL' });
  });
});

describe.skipIf(noVms)(`throughput${because}`, () => {
  it('a mapped file reads the same as ordinary memory', async ({ annotate }) => {
    await vm.call('volumes', 'mkfs', DEVICE);
    const { number } = await vm.call<{ number: number }>('volumes', 'open', DEVICE);
    await vm.call('volumes', 'create', number, '/numbers', { size: 4 * MIB, zero: false });
    await vm.call('throughput', 'fillNumbers', number, '/numbers');
    const { times, sums, bytes } = await vm.call<Comparison>('throughput', 'compare', number, '/numbers', 51);
    expect(sums.mapped).toBe(sums.plain);
    // Compares measurements that are close in time: other load on this machine slows both.
    const ratio = median(times.plain.map((plain, pass) => plain / times.mapped[pass]!));
    await annotate(
      `reading 4 MiB mapped from /dev/dax0.0: ${ratio.toFixed(2)} of the speed of ordinary memory ` +
        `(median of 51 pairs; ${(bytes / median(times.mapped) / 1e6).toFixed(2)} GB/s)`,
      'figure',
    );
  });
});
