import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assets, because, MIB, noVms, SharedMemoryFile, VirtualMachine } from './support/index.js';

const DEVICE = '/dev/dax0.0';

describe.skipIf(noVms)(`the library on /dev/dax0.0${because}`, () => {
  let memory: SharedMemoryFile;
  let vm: VirtualMachine;
  let volume: number;
  const ask = <T>(method: string, ...args: unknown[]) =>
    vm.call<T>('volumes', 'ask', volume, method, ...args);

  beforeAll(async () => {
    memory = new SharedMemoryFile(256 * MIB);
    vm = await VirtualMachine.start(assets, memory);
    await vm.call('volumes', 'mkfs', DEVICE);
    ({ number: volume } = await vm.call<{ number: number }>('volumes', 'open', DEVICE));
  });
  afterAll(async () => {
    await vm?.kill();
    memory?.close();
  });

  it('mkfs takes the whole device, and its host is the master', async () => {
    expect(await vm.call('volumes', 'open', DEVICE)).toMatchObject({ role: 'master', readOnly: false });
    expect(await ask('statfs')).toMatchObject({ size: 254 * MIB, used: 10 * MIB });
  });

  it('a new file reads as zeroes, and what is stored through a mapping is read by another and by read()', async () => {
    await vm.call('volumes', 'create', volume, '/stored', { size: 3 * MIB });
    expect(await vm.call('volumes', 'load', volume, '/stored', 0, 5)).toBe('\0\0\0\0\0');
    await vm.call('volumes', 'store', volume, '/stored', 'across a page', 4090);
    expect(await vm.call('volumes', 'load', volume, '/stored', 4090, 13)).toBe('across a page');
    expect(await vm.call('volumes', 'read', volume, '/stored', 4090, 13)).toBe('across a page');
  });

  it('write() is seen by mappings, also across two granules of 2 MiB', async () => {
    await vm.call('volumes', 'create', volume, '/written', { size: 5 * MIB });
    await vm.call('volumes', 'write', volume, '/written', 'both sides', 2 * MIB - 5);
    expect(await vm.call('volumes', 'load', volume, '/written', 2 * MIB - 5, 10)).toBe('both sides');
  });

  it('a striped file is contiguous in memory, and its bytes lie where its map says', async () => {
    const stripe = { nstrips: 3, nbuckets: 3, chunkSize: 2 * MIB };
    await vm.call('volumes', 'create', volume, '/striped', { size: 15 * MIB, stripe });
    const sum = await vm.call('volumes', 'fill', volume, '/striped', 7);
    expect(await vm.call('volumes', 'sumMapped', volume, '/striped')).toBe(sum);
    const map = await ask<{ extents: { offset: number }[] }>('getmap', '/striped');
    expect(map.extents).toHaveLength(3);
    // Chunk 1 begins in strip 1: the same word, from the memory file outside the VM.
    const outside = memory.read(vm.daxOffset + map.extents[1]!.offset, 4).readUInt32LE();
    expect(outside).toBe(Math.imul((2 * MIB) / 4 + 7, 2654435761) >>> 0);
  });

  it('copyIn and copyOut keep every byte', async () => {
    await vm.output('head -c 7654321 /dev/urandom > /tmp/source');
    await ask('copyIn', '/tmp/source', '/copied');
    await ask('copyOut', '/copied', '/tmp/back');
    const [source, back] = (await vm.output('sha256sum /tmp/source /tmp/back')).trim().split('\n');
    expect(back!.slice(0, 64)).toBe(source!.slice(0, 64));
    expect(await vm.call('volumes', 'sumMapped', volume, '/copied')).toBe(source!.slice(0, 64));
  });

  it('a second process sees a file and its bytes as soon as they are published', async () => {
    const reader = await vm.start('node /udax/test-vm/wait-for.mjs /dev/dax0.0 /news');
    await reader.outputWith('waiting');
    await vm.call('volumes', 'create', volume, '/news', { size: 4 });
    await vm.call('volumes', 'store', volume, '/news', 'read');
    expect(await reader.wait()).toMatchObject({ code: 0, stdout: 'waiting\nread\n' });
  });

  it('read-only views are write-protected memory: a stray store kills the process, as documented, and changes nothing', async () => {
    await vm.call('volumes', 'create', volume, '/protected', { size: 4096 });
    const script = `import { mountFamfs } from 'udax';
      const volume = mountFamfs('/dev/dax0.0');
      const view = volume.open('/protected').map();
      console.log(view[0]);
      view[0] = 1;
      console.log('survived', view[0]);`;
    const { code, signal, stdout } = await vm.node(script);
    expect({ stdout, died: signal === 'SIGSEGV' || code === 139 }).toEqual({ stdout: '0\n', died: true });
    expect(await vm.call('volumes', 'load', volume, '/protected', 0, 1)).toBe('\0');
  });

  it('kill -9 in the middle of copyIn: no file, fsck clean, and the space can be used', async () => {
    await vm.output('head -c 60000000 /dev/zero > /tmp/large');
    const { free } = await ask<{ free: number }>('statfs');
    const writer = await vm.start('node /udax/test-vm/copy-and-hang.mjs /dev/dax0.0 /half /tmp/large');
    await writer.outputWith('copying');
    await writer.kill('SIGKILL');
    expect(await writer.wait()).toMatchObject({ signal: 'SIGKILL' });
    await ask('refresh');
    expect(await ask('exists', '/half')).toBe(false);
    expect(await vm.call('volumes', 'fsck', DEVICE)).toMatchObject({ errors: [] });
    expect(await ask('statfs')).toMatchObject({ free });
    await vm.call('volumes', 'create', volume, '/instead', { size: free - 20 * MIB, zero: false });
    expect(await vm.call('volumes', 'fsck', DEVICE)).toMatchObject({ errors: [] });
    await vm.output('rm /tmp/large');
  });

  it('mkfs of a mounted device is EBUSY, and names who holds it', async () => {
    await expect(vm.call('volumes', 'mkfs', DEVICE, { force: true })).rejects.toMatchObject({
      code: 'EBUSY',
    });
    const { code, stderr } = await vm.udax('mkfs', '-f', DEVICE);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/in use by pid \d+ \(node .*agent\.mjs\).*\(EBUSY\)/),
    ]);
  });

  it('all of it is on the media: the test machine checks the same bytes and finds the same files', async () => {
    const image = memory.copyFrom(vm.daxOffset, vm.dax.size);
    const { fsck, mountFamfs } = await import('../../src/index.js');
    expect(fsck(image).errors).toEqual([]);
    const outside = mountFamfs(image, { readOnly: true });
    try {
      expect(outside.readdir('/')).toEqual(await ask('readdir', '/'));
      const bytes = outside.open('/copied').map();
      const sum = createHash('sha256').update(bytes).digest('hex');
      expect(sum).toBe(await vm.call('volumes', 'sumMapped', volume, '/copied'));
    } finally {
      outside.close();
    }
  });
});
