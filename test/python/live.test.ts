// Python beside udax on one machine: what one makes the other sees, each is seen as a user of the memory, and neither
// touches what is not there any more. The right answers are those that udax's own readers give.
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createQueue,
  mkfs,
  mountFamfs,
  openMachine,
  openQueue,
  openVolume,
  type Volume,
} from '../../src/index.js';
import { ask, because, Child, MIB, noPython, pythons, temporaryDirectory, UUID } from './support.js';

const MESSAGES = 20_000;

/** Messages of a number and a word made of it, as the tests of queues between Node processes use. */
function message(number: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, number, true);
  view.setUint32(4, Math.imul(number, 2654435761), true);
  return bytes;
}

describe.skipIf(noPython !== '')(`Python beside udax${because}`, () => {
  const python = pythons[0]!;
  let directory: string;
  let root: string;
  const children: Child[] = [];
  const volumes: Volume[] = [];

  beforeEach(() => {
    process.env.UDAX_SYSTEM_UUID = UUID;
    directory = temporaryDirectory();
    root = path.join(directory, 'root');
  });
  afterEach(async () => {
    for (const child of children.splice(0)) {
      child.kill();
      await child.ended();
    }
    for (const volume of volumes.splice(0)) volume.close();
    fs.rmSync(directory, { recursive: true, force: true });
  });

  function volumeOf(size = '256MiB'): Volume {
    const volume = openVolume(root, { size, lockWaitMs: 5000 });
    volumes.push(volume);
    return volume;
  }
  function start(code: string, ...args: string[]): Child {
    const child = new Child(python, code, ...args);
    children.push(child);
    return child;
  }

  it('striped and many-extent files are one buffer, byte for byte', async () => {
    const volume = volumeOf();
    const bytes = Buffer.alloc(11 * MIB + 77, 'nothing repeats here: ');
    for (let at = 0; at + 4 < bytes.length; at += 4096) bytes.writeUInt32LE(at, at);
    const source = path.join(directory, 'source');
    fs.writeFileSync(source, bytes);
    await volume.copyIn(source, '/striped', { stripe: { nstrips: 3, nbuckets: 4, chunkSize: 2 * MIB } });
    await volume.copyIn(source, '/plain');
    const answers = ask<boolean[]>(
      python,
      `v = udax.open_volume(args[0])
data = open(args[1], 'rb').read()
say([bytes(v.open(name).buffer()) == data == v.open(name).read() for name in ('/striped', '/plain')]
    + [len(v.open('/striped').fmap.extents) == 3])`,
      root,
      source,
    );
    expect(answers).toEqual([true, true, true]);
  });

  it('stores of one show in the buffer of the other, at once', async () => {
    const volume = volumeOf();
    const mine = volume.create('/shared', { size: 4096 }).map({ writable: true });
    const child = start(
      `v = udax.open_volume(args[0], writable=True)
view = v.open('/shared', writable=True).buffer(writable=True)
say('open')
sys.stdin.readline(); say(bytes(view[:4]).decode())
view[100:104] = b'back'; say('stored')`,
      root,
    );
    await child.next();
    mine.set(Buffer.from('here'));
    child.say('');
    expect(await child.next()).toBe('here');
    await child.next();
    expect(Buffer.from(mine.subarray(100, 104)).toString()).toBe('back');
  });

  it('watch() sees files and directories as Node makes them, in order, without a busy loop', async () => {
    const volume = volumeOf();
    const child = start(
      `import time
v = udax.open_volume(args[0])
events = v.watch()
say('open')
seen = []
while len(seen) < 21:
    seen += [[stat.path, stat.size] for stat in next(events).entries]
say(seen)
spent, began = time.process_time(), time.monotonic()
for _ in v.watch(timeout=1): pass
say((time.process_time() - spent) / (time.monotonic() - began))`,
      root,
    );
    await child.next();
    volume.mkdir('/d');
    for (let i = 0; i < 20; i++) volume.create(`/d/${i}`, { size: i + 1 }).close();
    expect(await child.next()).toEqual([
      ['/d', 0],
      ...Array.from({ length: 20 }, (_, i) => [`/d/${i}`, i + 1]),
    ]);
    expect(await child.next<number>()).toBeLessThan(0.5);
  });

  it('is a holder: udax names it, mkfs and disable are refused until it ends', async () => {
    volumeOf().close();
    const child = start(
      `v = udax.open_volume(args[0], purpose='serving'); say('open'); sys.stdin.readline(); v.close(); say('closed'); sys.stdin.readline()`,
      root,
    );
    await child.next();
    const machine = openMachine(root);
    try {
      expect(machine.holders()).toMatchObject([{ pid: child.pid, device: 'dax0.0', purpose: 'serving' }]);
      const named = expect.objectContaining({
        code: 'EBUSY',
        message: expect.stringContaining(`pid ${child.pid} `),
      });
      expect(() => mkfs(machine.device('dax0.0'), { force: true })).toThrow(named);
      expect(() => machine.disable('dax0.0', { force: true })).toThrow(named);
      // The memory itself tells, under any name.
      expect(() => mkfs(path.join(root, 'regions/0.mem'), { force: true })).toThrow(named);
      child.say('');
      expect(await child.next()).toBe('closed');
      expect(machine.holders()).toEqual([]);
      expect(fs.readdirSync(path.join(root, 'holders'))).toEqual([]);
      mkfs(machine.device('dax0.0'), { force: true });
    } finally {
      machine.close();
    }
  });

  it('a killed one is no holder', async () => {
    volumeOf().close();
    const child = start(`v = udax.open_volume(args[0]); say('open'); sys.stdin.readline()`, root);
    await child.next();
    child.kill();
    await child.ended();
    const machine = openMachine(root);
    expect(machine.holders()).toEqual([]);
    machine.disable('dax0.0');
    machine.close();
  });

  it('is refused, naming the process, while another has the memory for itself', () => {
    volumeOf().close();
    const machine = openMachine(root);
    const hold = machine.device('dax0.0').hold('mkfs', { exclusive: true });
    try {
      for (const where of [root, path.join(root, 'regions/0.mem')]) {
        const [code, text] = ask<string[]>(
          python,
          `try: udax.open_volume(args[0])
except udax.UdaxError as error: say([error.code, str(error)])`,
          where,
        );
        expect(code).toBe('EBUSY');
        expect(text).toContain(`pid ${process.pid} (`);
      }
    } finally {
      hold.release();
      machine.close();
    }
  });

  it('a volume that was formatted anew (by another host) is ESTALE for good, and its buffers show zeroes', async () => {
    const volume = volumeOf();
    await volume.writeFile('/a', Buffer.from('before'));
    volume.close();
    const child = start(
      `v = udax.open_volume(args[0]); f = v.open('/a'); view = f.buffer(); say(bytes(view).decode())
sys.stdin.readline()
codes = []
for act in (v.listdir, f.read, f.buffer, v.refresh, lambda: v.open('/a'), lambda: next(v.watch())):
    try: act(); codes.append('ok')
    except udax.UdaxError as error: codes.append(error.code)
say([codes, bytes(view).hex()])`,
      root,
    );
    expect(await child.next()).toBe('before');
    // Another host has no locks here: its mkfs is seen in the memory alone.
    const copy = path.join(directory, 'copy.img');
    fs.copyFileSync(path.join(root, 'regions/0.mem'), copy);
    mkfs(copy, { force: true });
    const head = Buffer.alloc(10 * MIB);
    const from = fs.openSync(copy, 'r');
    fs.readSync(from, head, 0, head.length, 0);
    fs.closeSync(from);
    const memory = fs.openSync(path.join(root, 'regions/0.mem'), 'r+');
    fs.writeSync(memory, head, 0, head.length, 0);
    fs.closeSync(memory);
    child.say('');
    expect(await child.next()).toEqual([Array(6).fill('ESTALE'), '00'.repeat(6)]);
  });

  it('memory that was cut off is EIO, never the end of the process', async () => {
    const volume = volumeOf('64MiB');
    await volume.writeFile('/a', Buffer.alloc(4 * MIB, 1));
    createQueue(volume, '/q', { nbuckets: 4, bucketSize: 64 });
    volume.close();
    const child = start(
      `v = udax.open_volume(args[0], writable=True); f = v.open('/a'); q = udax.open_queue(v, '/q', 'both'); say('open')
for _ in range(2):
    sys.stdin.readline()
    codes = []
    for act in (f.read, f.buffer, f.check_memory, lambda: q.try_put(b'x'), q.try_get, v.listdir):
        try: act(); codes.append('ok')
        except udax.UdaxError as error: codes.append(error.code)
    say(codes)`,
      root,
    );
    await child.next();
    const memory = path.join(root, 'regions/0.mem');
    fs.truncateSync(memory, 11 * MIB);
    child.say('');
    expect(await child.next()).toEqual(['EIO', 'EIO', 'EIO', 'EIO', 'EIO', 'ok']);
    fs.truncateSync(memory, MIB);
    child.say('');
    expect(await child.next()).toEqual(Array(6).fill('EIO'));
    expect(await child.ended()).toBe(0);
  });

  it('takes an image of another owner for reading, and stores nothing in it', async () => {
    const image = path.join(directory, 'pool.img');
    fs.writeFileSync(image, '');
    fs.truncateSync(image, 64 * MIB);
    mkfs(image, { systemUuid: '99999999-2222-4333-8444-555555555555' });
    const before = fs.readFileSync(image);
    const code = `v = udax.open_volume(args[0], writable=True); say(v.listdir())`;
    expect(ask(python, code, image)).toEqual([]);
    expect(fs.readFileSync(image).equals(before)).toBe(true);
  });

  describe('queues', () => {
    const consume = `import struct, zlib
v = udax.open_volume(args[0], writable=True)
q = udax.open_queue(v, '/q', 'consumer', framed=True)
say('open')
for number in range(int(args[1])):
    found, word = struct.unpack_from('<II', q.get(timeout=120))
    assert (found, word) == (number, number * 2654435761 % 2**32), (found, number)
say(len(q))`;
    const produce = `import struct
v = udax.open_volume(args[0], writable=True)
q = udax.open_queue(v, '/q', 'producer', framed=True)
say('open')
for number in range(int(args[1])):
    q.put(struct.pack('<IIQ', number, number * 2654435761 % 2**32, 0), timeout=120)
say(q.info().next_put_seq)`;

    it('Node puts, Python gets: nothing lost, in order', async () => {
      const volume = volumeOf();
      createQueue(volume, '/q', { nbuckets: 64, bucketSize: 64 });
      const child = start(consume, root, String(MESSAGES));
      await child.next();
      const queue = openQueue(volume, '/q', { role: 'producer', framed: true });
      for (let number = 0; number < MESSAGES; number++) await queue.put(message(number));
      expect(await child.next()).toBe(0);
      queue.close();
    });

    it('Python puts, Node gets: nothing lost, in order', async () => {
      const volume = volumeOf();
      createQueue(volume, '/q', { nbuckets: 64, bucketSize: 64 });
      const queue = openQueue(volume, '/q', { role: 'consumer', framed: true });
      const child = start(produce, root, String(MESSAGES));
      await child.next();
      for (let number = 0; number < MESSAGES; number++) {
        const found = Buffer.from(await queue.get());
        expect([found.length, found.readUInt32LE(0)]).toEqual([16, number]);
        expect(found.readUInt32LE(4)).toBe(Math.imul(number, 2654435761) >>> 0);
      }
      expect(await child.next()).toBe(MESSAGES);
      queue.close();
    });

    it('a second producer is refused, whichever language the first one speaks', async () => {
      const volume = volumeOf();
      createQueue(volume, '/q', { nbuckets: 4, bucketSize: 64 });
      const child = start(
        `v = udax.open_volume(args[0], writable=True)
q = udax.open_queue(v, '/q', 'producer'); say('open'); sys.stdin.readline(); q.close(); say('closed')
sys.stdin.readline()
try: udax.open_queue(v, '/q', 'producer')
except udax.UdaxError as error: say(error.code)`,
        root,
      );
      await child.next();
      const taken = expect.objectContaining({ code: 'EBUSY' });
      expect(() => openQueue(volume, '/q', { role: 'producer' })).toThrow(taken);
      child.say('');
      await child.next();
      const queue = openQueue(volume, '/q', { role: 'producer' });
      child.say('');
      expect(await child.next()).toBe('EBUSY');
      queue.close();
    });

    it('a killed Python producer is followed by one of Node, without a gap or a double', async () => {
      const volume = volumeOf();
      createQueue(volume, '/q', { nbuckets: 16, bucketSize: 64 });
      const consumer = openQueue(volume, '/q', { role: 'consumer', framed: true });
      const child = start(produce, root, '1000000');
      await child.next();
      let next = 0;
      const take = async () => expect(Buffer.from(await consumer.get()).readUInt32LE(0)).toBe(next++);
      while (next < 500) await take();
      child.kill();
      await child.ended();
      while (consumer.length > 0) await take();
      const producer = openQueue(volume, '/q', { role: 'producer', framed: true });
      expect(producer.info().nextPutSeq).toBeGreaterThanOrEqual(next);
      for (let i = 0; i < 100; i++) {
        await producer.put(message(next));
        await take();
      }
      producer.close();
      consumer.close();
    });
  });

  it('machines over memory whose users share no caches work with libpmem, and are refused without', async (context) => {
    const memory = path.join(directory, 'memory');
    fs.writeFileSync(memory, '');
    fs.truncateSync(memory, 64 * MIB);
    const machine = openMachine(root, { create: true });
    try {
      machine.createRegion({ size: '64MiB', backing: memory, coherent: false });
    } catch (error) {
      machine.close();
      if ((error as { code?: string }).code !== 'EOPNOTSUPP') throw error;
      context.skip('libpmem1 is not installed');
    }
    machine.reconfigure('dax0.0', 'famfs');
    mkfs(machine.device('dax0.0'));
    const volume = mountFamfs(machine.device('dax0.0'));
    createQueue(volume, '/q', { nbuckets: 4, bucketSize: 64 });
    const queue = openQueue(volume, '/q', { role: 'producer', framed: true });
    await queue.put(Buffer.from('hello'));
    const get = `v = udax.open_volume(args[0], writable=True)
q = udax.open_queue(v, '/q', 'consumer', framed=True)
say([q.get(timeout=60).decode(), len(q)])`;
    expect(ask(python, get, root)).toEqual(['hello', 0]);
    const without = `import ctypes
real = ctypes.CDLL
def missing(name, *more, **also):
    if name and 'pmem' in name: raise OSError('not installed')
    return real(name, *more, **also)
ctypes.CDLL = missing
try: udax.open_volume(args[0])
except udax.UdaxError as error: say([error.code, 'libpmem1' in str(error)])`;
    expect(ask(python, without, root)).toEqual(['EOPNOTSUPP', true]);
    queue.close();
    volume.close();
    machine.close();
  });

  it('four readers at once cost no copy: each maps the same pages', async () => {
    const volume = volumeOf();
    const size = 32 * MIB;
    await volume.writeFile('/a', Buffer.alloc(size, 7));
    const code = `v = udax.open_volume(args[0]); view = v.open('/a').buffer(); total = sum(view[::4096]); say('mapped')
sys.stdin.readline()
maps = {}
for line in open('/proc/self/smaps'):
    word = line.split()
    if '-' in word[0] and ':' not in word[0][-1]: here = 'regions/0.mem' in line
    elif here and word[0] == 'Pss:': maps['pss'] = maps.get('pss', 0) + int(word[1])
say([total, maps['pss']])
sys.stdin.readline()`;
    const all = Array.from({ length: 4 }, () => start(code, root));
    for (const child of all) await child.next();
    for (const child of all) child.say('');
    const answers = await Promise.all(all.map((child) => child.next<[number, number]>()));
    expect(answers.map(([total]) => total)).toEqual(Array(4).fill((size / 4096) * 7));
    const kib = answers.reduce((sum, [, pss]) => sum + pss, 0);
    expect(kib).toBeLessThan((size / 1024) * 1.1);
  });
});
