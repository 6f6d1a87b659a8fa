import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fsck, type Machine, mountFamfs, openMachine, type Volume } from '../../src/index.js';
import { assets, because, MIB, median, noVms, SharedMemoryFile, VirtualMachine } from './support/index.js';

const DEVICE = '/dev/dax0.0';
const UNIT = 2 * MIB;
const LOG_END = 10 * MIB;
const uuids = [1, 2, 3].map((digit) => `${digit}1111111-2222-4333-8444-555555555555`);

/** One host, and the volume that its agent has open. */
class Host {
  volume = 0;
  role = '';
  constructor(readonly vm: VirtualMachine) {}

  async mount(options: object = {}): Promise<void> {
    const opened = await this.vm.call<{ number: number; role: string }>('volumes', 'open', DEVICE, options);
    this.volume = opened.number;
    this.role = opened.role;
  }

  /** A function of guest/volumes.mjs on its volume. */
  do<T = unknown>(name: string, ...args: unknown[]): Promise<T> {
    return this.vm.call<T>('volumes', name, this.volume, ...args);
  }

  ask<T = unknown>(method: string, ...args: unknown[]): Promise<T> {
    return this.do<T>('ask', method, ...args);
  }
}

/** Milliseconds. */
interface Round {
  create: number;
  seen: number;
}

/** These tests depend on each other, in order: three hosts share a memory until their master dies. */
describe.skipIf(noVms)(`hosts that share one memory${because}`, () => {
  let memory: SharedMemoryFile;
  let machine: Machine;
  let here: Volume;
  const hosts: Host[] = [];
  const a = () => hosts[0]!;
  const b = () => hosts[1]!;
  const c = () => hosts[2]!;
  const logBytes = () => memory.read(a().vm.daxOffset, LOG_END).toString('latin1');

  async function boot(number: number): Promise<Host> {
    const options = { name: `host-${'abc'[number]}`, uuid: uuids[number]!, cpus: 1 };
    return new Host(await VirtualMachine.start(assets, memory, options));
  }

  beforeAll(async () => {
    memory = new SharedMemoryFile(256 * MIB);
    hosts.push(await boot(0));
    hosts.push(...(await Promise.all([boot(1), boot(2)])));
    await a().vm.call('volumes', 'mkfs', DEVICE);
    await Promise.all([a().mount(), b().mount({ clientWrites: true }), c().mount()]);
    machine = openMachine(`${memory.directory}/machine`, { create: true });
    const { daxOffset, dax } = a().vm;
    const region = machine.createRegion({ backing: memory.path, offset: daxOffset, size: dax.size });
    machine.reconfigure(region.devices[0]!, 'famfs');
    here = mountFamfs(machine.device(region.devices[0]!));
  });
  afterAll(async () => {
    here?.close();
    machine?.close();
    await Promise.all(hosts.map(({ vm }) => vm.kill()));
    memory?.close();
  });

  it('all have the same device, and one of them is the master', async () => {
    expect(hosts.map(({ vm }) => vm.dax)).toEqual([a().vm.dax, a().vm.dax, a().vm.dax]);
    expect([...hosts.map(({ role }) => role), here.role]).toEqual(['master', 'client', 'client', 'client']);
  });

  it('what the master creates appears on all others, by watch() and by refresh()', async () => {
    const watching = b().do<{ path: string; size: number }[]>('watchFor', '/first');
    await a().ask('mkdir', '/d');
    await a().do('create', '/first', { size: 5 * MIB });
    expect(await watching).toEqual([
      { path: '/d', size: 0 },
      { path: '/first', size: 5 * MIB },
    ]);
    await c().ask('refresh');
    here.refresh();
    expect(await c().ask('readdir', '/')).toEqual(['d', 'first']);
    expect(here.readdir('/')).toEqual(['d', 'first']);
  });

  it('what the owner of a file writes is seen by all, in views that were there before too', async () => {
    const view = here.open('/first').map();
    const sum = await a().do('fill', '/first', 3);
    expect(await b().do('sumMapped', '/first')).toBe(sum);
    expect(await c().do('sumMapped', '/first')).toBe(sum);
    await a().do('store', '/first', 'from the master', UNIT - 4);
    for (const host of [b(), c()])
      expect(await host.do('load', '/first', UNIT - 4, 15)).toBe('from the master');
    expect(Buffer.from(view.subarray(UNIT - 4, UNIT + 11)).toString()).toBe('from the master');
  });

  it('a client that may store into files does, and all see it', async () => {
    await b().do('store', '/first', 'from a client', 100);
    for (const host of [a(), c()]) expect(await host.do('load', '/first', 100, 13)).toBe('from a client');
    await expect(c().do('store', '/first', 'no')).rejects.toMatchObject({ code: 'EROFS' });
  });

  it('a client cannot make anything: EROFS by every way, and not a byte of superblock and log changes', async () => {
    const before = logBytes();
    await c().vm.output('echo text > /tmp/text');
    for (const host of [b(), c()]) {
      await expect(host.ask('mkdir', '/no')).rejects.toMatchObject({ code: 'EROFS' });
      await expect(host.do('create', '/no', { size: 4096 })).rejects.toMatchObject({ code: 'EROFS' });
      await expect(host.ask('copyIn', '/init', '/no')).rejects.toMatchObject({ code: 'EROFS' });
    }
    for (const words of [
      ['mkdir', `${DEVICE}:/no`],
      ['creat', '-s', '4096', `${DEVICE}:/no`],
      ['cp', '/tmp/text', `${DEVICE}:/no`],
      ['--role', 'client', 'mkdir', `${DEVICE}:/no`],
    ]) {
      expect(await c().vm.command(...words)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('(EROFS)'),
      });
    }
    expect(logBytes() === before).toBe(true);
  });

  it('a mount on a client shows what the master makes, by itself, and takes no writes', async () => {
    await c().vm.output('mkdir /mnt/c');
    await c().vm.call('mounts', 'mount', DEVICE, '/mnt/c');
    await a().do('create', '/mounted', { size: 6 });
    await a().do('store', '/mounted', 'hello\n');
    const shown = 'for i in $(seq 50); do cat /mnt/c/mounted 2>/dev/null && exit 0; sleep 0.1; done; exit 1';
    expect(await c().vm.output(shown)).toBe('hello\n');
    const { code, stderr } = await c().vm.run('cp /tmp/text /mnt/c/no');
    expect([code, stderr]).toEqual([1, expect.stringContaining('Read-only file system')]);
    await c().vm.call('mounts', 'unmount', '/mnt/c');
  });

  it('what the mount of the master takes away, moves, links and replaces is the same tree on all hosts after each fsync', async () => {
    await a().vm.output('mkdir /mnt/a');
    await a().vm.call('mounts', 'mount', DEVICE, '/mnt/a');
    await a().vm.output('mkdir /mnt/a/names');
    await a().vm.call('mounts', 'sync', '/mnt/a/names');
    let last: string[] = [];
    for (const step of [
      'for i in 1 2 3 4 5; do echo "file $i" > f$i; done; mkdir d e',
      'rm f1 && mv f2 d/moved',
      'ln f3 d/hard && ln -s ../f4 d/soft && : > empty',
      'mv f5 f4',
      'chmod 600 f3 && mv d e/',
      'rm e/d/soft && mkdir d && mv e/d/hard d/back && echo more >> f3',
      'rm -r e && mv d again && ln -s nowhere d',
      `rm f3 && echo anew > f3 && mv again/back ${'long-name-'.repeat(20)}`,
    ]) {
      await a().vm.output(`cd /mnt/a/names && ${step}`);
      await a().vm.call('mounts', 'sync', '/mnt/a/names');
      const trees = await Promise.all(
        [a(), b(), c()].map(async (host) => {
          await host.ask('refresh');
          return (await host.do<{ path: string }[]>('tree')).filter(({ path }) => path.startsWith('/names'));
        }),
      );
      expect(trees[1], step).toEqual(trees[0]);
      expect(trees[2], step).toEqual(trees[0]);
      here.refresh();
      const paths = trees[0]!.map(({ path }) => path);
      const ours = [...here.walk()].map(({ path }) => path).filter((path) => path.startsWith('/names'));
      expect(ours.sort()).toEqual(paths);
      last = paths.map((path) => path.slice('/names/'.length));
    }
    expect(last).toEqual(['', 'again', 'd', 'empty', 'f3', 'f4', 'long-name-'.repeat(20)]);
    const bytes = (name: string, length: number) => c().do('load', `/names/${name}`, 0, length);
    expect(await bytes('f3', 5)).toBe('anew\n');
    expect(await bytes('f4', 7)).toBe('file 5\n');
    expect(await bytes(last[6]!, 12)).toBe('file 3\nmore\n');
    expect(await b().vm.call('volumes', 'fsck', DEVICE)).toMatchObject({ errors: [] });
    await a().vm.call('mounts', 'unmount', '/mnt/a');
  });

  it('messages flow between hosts in both directions, each once and in order', async ({ annotate }) => {
    const count = 4000;
    for (const queue of ['/a-to-b', '/b-to-a']) {
      await a().vm.call('queues', 'make', a().volume, queue, { nbuckets: 256, bucketSize: 64 });
    }
    await b().ask('refresh');
    const ends = await Promise.all([
      a().vm.call('queues', 'produce', a().volume, '/a-to-b', count),
      b().vm.call<{ ms: number }>('queues', 'consume', b().volume, '/a-to-b', count),
      b().vm.call('queues', 'produce', b().volume, '/b-to-a', count),
      a().vm.call<{ ms: number }>('queues', 'consume', a().volume, '/b-to-a', count),
    ]);
    for (const end of ends) expect(end).toMatchObject({ first: 0, next: count });
    for (const consumer of [ends[1], ends[3]]) expect(consumer).toMatchObject({ left: 0 });
    const rate = Math.round((2 * count * 1000) / Math.max(ends[1].ms, ends[3].ms));
    await annotate(`messages of 64 bytes between two hosts, both directions at once: ${rate}/s`, 'figure');
  });

  it('an arena: each host stores in its part, all read all, what one has pinned stays, and nothing is torn', async () => {
    const arena = <T = unknown>(host: Host, name: string, ...args: unknown[]) =>
      host.vm.call<T>('arenas', name, ...args);
    await arena(a(), 'make', a().volume, '/kv', {
      size: 16 * MIB,
      hosts: 2,
      slots: 256,
      maxKeyBytes: 32,
      leaseMs: 4000, // an emulated host may stand still for a while
    });
    await b().ask('refresh');
    for (const host of [a(), b()]) await arena(host, 'open', host.volume, '/kv');
    await arena(a(), 'put', '/kv', 'of-a', 'from a');
    await arena(b(), 'put', '/kv', 'of-b', 'from b');
    expect(await arena(b(), 'get', '/kv', 'of-a')).toBe('from a');
    expect(await arena(a(), 'get', '/kv', 'of-b')).toBe('from b');
    await arena(b(), 'put', '/kv', 'of-a', 'newer, from b');
    expect(await arena(a(), 'get', '/kv', 'of-a')).toBe('newer, from b');
    expect(await arena(a(), 'remove', '/kv', 'of-a')).toBe(true);
    expect(await arena(b(), 'get', '/kv', 'of-a')).toBe(null);

    const churned = await Promise.all([
      arena<number>(a(), 'churn', '/kv', 'a', 'b', 1500),
      arena<number>(b(), 'churn', '/kv', 'b', 'a', 1500),
    ]);
    for (const seen of churned) expect(seen).toBeGreaterThan(500);

    // b removes what a has pinned: its bytes stay until a is gone, which is later in this file.
    await arena(a(), 'put', '/kv', 'stays', 'committed by a');
    await arena(a(), 'reserve', '/kv', 'half', 4096);
    await arena(a(), 'pin', '/kv', 'of-b');
    await arena(b(), 'remove', '/kv', 'of-b');
    expect(await arena(a(), 'read', 'of-b')).toBe('from b');
    // Each host frees its own: what the other had pinned in the meantime, too.
    await arena(a(), 'stats', '/kv');
    expect(await arena(b(), 'stats', '/kv')).toMatchObject({ limbo: 64, hosts: 2 });
    expect(await arena(b(), 'fsck', b().volume, '/kv')).toEqual([]);
  });

  it('a new file is seen by another host soon', async ({ annotate }) => {
    await a().do('create', '/flag', { size: 4096 });
    await b().ask('refresh');
    const words: string[] = [];
    for (const how of ['seeByRefresh', 'seeByWatch']) {
      await a().do('store', '/flag', '\0\0\0\0');
      const seeing = b().vm.call('latency', how, b().volume, `/${how}-`, '/flag', 15);
      const rounds = await a().vm.call<Round[]>(
        'latency',
        'createAndWait',
        a().volume,
        `/${how}-`,
        '/flag',
        15,
      );
      await seeing;
      const [create, seen] = [median(rounds.map((r) => r.create)), median(rounds.map((r) => r.seen))];
      words.push(
        `${how === 'seeByWatch' ? 'watch()' : 'refresh()'} ${seen.toFixed(1)} ms (create ${create.toFixed(1)} ms)`,
      );
    }
    await annotate(
      `from the return of create() on the master until a client has seen it, medians of 15: ${words.join(', ')}`,
      'figure',
    );
  });

  it('the test machine, over the same bytes of the file, agrees with the master', async () => {
    here.refresh();
    const names = [...here.walk()].map(({ path }) => path);
    expect(names).toEqual((await a().do<{ path: string }[]>('walk')).map(({ path }) => path));
    expect(fsck(machine.device('dax0.0')).errors).toEqual([]);
  });

  it('the master dies while it writes the log: all that was published is there for the others', async () => {
    const flag = here.open('/flag').mapAs(Int32Array, { length: 4 });
    await a().do('store', '/flag', '\0\0\0\0');
    // This call is never answered, because the host dies in it.
    const endless = a()
      .do('mkdirForever', '/k', '/flag')
      .catch((error: Error) => error.message);
    while (flag[0]! < 30) await pause(5);
    await a().vm.kill();
    expect(await endless).toMatch(/QEMU ended|was killed/);
    await b().ask('refresh');
    const seen = (await b().ask<string[]>('readdir', '/')).filter((name) => /^k\d+$/.test(name)).length;
    // It may have died between the last mkdir and its number.
    expect(seen - flag[0]!).toBeOneOf([0, 1]);
    expect(fsck(machine.device('dax0.0')).errors).toEqual([]);
  });

  it('the arena of a dead host: what it committed stays, its pins and half things lapse, its part goes to the next', async () => {
    const { number } = await c().vm.call<{ number: number }>('volumes', 'open', DEVICE, {
      clientWrites: true,
    });
    // b finds out about the dead host too. Where both do at once the newcomer may be told to open again (ESTALE), with nothing done.
    await expect
      .poll(
        async () => {
          await c().vm.call('arenas', 'open', number, '/kv');
          return c().vm.call('arenas', 'get', '/kv', 'stays');
        },
        { timeout: 600_000, interval: 500 },
      )
      .toBe('committed by a');
    await expect
      .poll(() => b().vm.call('arenas', 'stats', '/kv'), { timeout: 600_000, interval: 500 })
      .toMatchObject({ limbo: 0 });
    expect(await c().vm.call('arenas', 'has', '/kv', 'half')).toBe(false);
    await c().vm.call('arenas', 'put', '/kv', 'of-c', 'from c');
    expect(await b().vm.call('arenas', 'get', '/kv', 'of-c')).toBe('from c');
    const { used, reserved, limbo, free, heap } = await c().vm.call<Record<string, number>>(
      'arenas',
      'stats',
      '/kv',
    );
    expect([limbo, used! + reserved! + free!]).toEqual([0, heap]);
    expect(await c().vm.call('arenas', 'fsck', number, '/kv')).toEqual([]);
    for (const host of [b(), c()]) await host.vm.call('arenas', 'close', '/kv');
    await c().vm.call('volumes', 'close', number);
  });

  it("taking over is refused without the old owner's name, with a wrong one, and while the device is in use", async () => {
    const before = logBytes();
    const from = ['take-over', '--from', uuids[0]!, DEVICE];
    expect(await b().vm.command(...from)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('(EBUSY)'),
    });
    await b().vm.call('volumes', 'close', b().volume);
    const refused = await b().vm.command('take-over', DEVICE);
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringMatching(new RegExp(`${uuids[0]}.*\\(EPERM\\)`)),
    ]);
    const wrong = await b().vm.command('take-over', '--from', uuids[2]!, DEVICE);
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('(EINVAL)')]);
    expect(logBytes() === before).toBe(true);
  });

  it('another host takes over and writes; those that stayed mounted see it; fsck is clean', async () => {
    await b().vm.done('take-over', '--from', uuids[0]!, DEVICE);
    await b().mount();
    expect(b().role).toBe('master');
    await b().do('create', '/after', { size: 3 * MIB });
    await b().do('store', '/after', 'from the new master');
    await c().ask('refresh');
    here.refresh();
    expect(await c().do('load', '/after', 0, 19)).toBe('from the new master');
    expect(here.open('/after').map().subarray(0, 4)).toEqual(Uint8Array.from(Buffer.from('from')));
    expect(await b().do('load', '/first', UNIT - 4, 15)).toBe('from the master');
    for (const host of [b(), c()]) {
      expect(await host.vm.call('volumes', 'fsck', DEVICE)).toMatchObject({ errors: [], notes: [] });
    }
  });

  it('the old master comes back as a client', async () => {
    hosts[0] = await boot(0);
    await a().mount();
    expect(a().role).toBe('client');
    expect(await a().do('load', '/after', 0, 19)).toBe('from the new master');
    await expect(a().ask('mkdir', '/no')).rejects.toMatchObject({ code: 'EROFS' });
    await b().ask('mkdir', '/yes');
    await a().ask('refresh');
    expect(await a().ask('exists', '/yes')).toBe(true);
  });
});
