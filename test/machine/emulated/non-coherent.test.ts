import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createQueue, mkfs, mountFamfs, openMachine, openQueue } from '../../../src/index.js';
import { canPersistMemory } from '../../../src/libc/index.js';

describe('memory whose users do not share caches', () => {
  let directory: string;
  let backing: string;

  beforeEach(() => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-non-coherent-'));
    backing = path.join(directory, 'shared');
    fs.writeFileSync(backing, '');
    fs.truncateSync(backing, 32 * 2 ** 20);
  });
  afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

  it.skipIf(!canPersistMemory())(
    'is flushed by the writer and invalidated by the reader (needs libpmem1)',
    () => {
      const writer = openMachine(path.join(directory, 'a'), { create: true });
      const reader = openMachine(path.join(directory, 'b'), { create: true });
      for (const machine of [writer, reader]) {
        machine.createRegion({ size: '32MiB', backing, coherent: false });
        machine.reconfigure('dax0.0', 'famfs');
      }
      mkfs(writer.device('dax0.0'));
      const there = mountFamfs(reader.device('dax0.0'));
      const here = mountFamfs(writer.device('dax0.0'));
      const file = here.create('/a', { size: 5 });
      file.write(Buffer.from('hello'), 0);
      expect(there.refresh()).toBe(1);
      const bytes = new Uint8Array(5);
      there.open('/a').read(bytes, 0);
      expect(Buffer.from(bytes).toString()).toBe('hello');
      for (const end of [there, here, writer, reader]) end.close();
      expect(
        openMachine(path.join(directory, 'a'), { create: true })
          .device('dax0.0')
          .dax.memory.locate(2 ** 40, 4096)[0],
      ).toMatchObject({
        backing: { coherent: false },
      });
    },
  );

  it.skipIf(!canPersistMemory())('carries a queue between two hosts (needs libpmem1)', () => {
    const master = openMachine(path.join(directory, 'a'), { create: true });
    const client = openMachine(path.join(directory, 'b'), { create: true });
    for (const machine of [master, client]) {
      machine.createRegion({ size: '32MiB', backing, coherent: false });
      machine.reconfigure('dax0.0', 'famfs');
    }
    mkfs(master.device('dax0.0'));
    const here = mountFamfs(master.device('dax0.0'));
    createQueue(here, '/q', { nbuckets: 4, bucketSize: 64 });
    const there = mountFamfs(client.device('dax0.0'), { role: 'client', clientWrites: true });
    const producer = openQueue(here, '/q', { role: 'producer' });
    const consumer = openQueue(there, '/q', { role: 'consumer' });
    for (let i = 0; i < 10; i++) {
      expect(producer.tryPut(Uint8Array.of(i))).toBe(true);
      expect(consumer.tryGet()?.[0]).toBe(i);
    }
    for (const end of [producer, consumer, there, here, client, master]) end.close();
  });

  it('must be named: memory of our own is always coherent', () => {
    const machine = openMachine(path.join(directory, 'a'), { create: true });
    expect(() => machine.createRegion({ size: '32MiB', coherent: false })).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    );
    expect(machine.regions()).toEqual([]);
    machine.close();
  });

  it.skipIf(canPersistMemory())('is refused where libpmem is missing (libpmem1 is here)', () => {
    const machine = openMachine(path.join(directory, 'a'), { create: true });
    expect(() => machine.createRegion({ size: '32MiB', backing, coherent: false })).toThrow(
      expect.objectContaining({ code: 'EOPNOTSUPP' }),
    );
    machine.close();
  });
});
