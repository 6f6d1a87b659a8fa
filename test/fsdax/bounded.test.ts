// What went wrong: one byte of a file with very many pieces took a minute, because the first touch walked every chunk of the
// file. One byte of a sparse file took all of its memory. Right: work and memory depend on the requested range only. They are
// counted here, not timed.
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { Bus } from '../../src/dax/index.js';
import { DaxFile, type IomapProvider } from '../../src/fsdax/index.js';
import { type Backing, createBacking, PhysicalMemory } from '../../src/memory/index.js';
import { HPA, MIB, PAGE, type TestDevice, testDevice, testFile } from './support.js';

const opened: { close(): void }[] = [];
afterEach(() => {
  for (const each of opened.splice(0)) each.close();
});

function device(size = 64 * MIB): TestDevice {
  const made = testDevice({ size });
  opened.push(made);
  return made;
}

/** A file of 2^50 bytes, in chunks of 4 KiB that alternate between two places of the device. Requests to it are counted. */
function endlessFile({ dax }: TestDevice): { file: DaxFile; asked: () => number } {
  let count = 0;
  const provider: IomapProvider = {
    name: '/endless on dax0.0',
    size: 2 ** 50,
    iomap(offset, length) {
      count++;
      const chunk = Math.floor(offset / PAGE);
      const within = offset % PAGE;
      const address = (chunk % 2) * 32 * MIB + (chunk % 1000) * 2 * PAGE + within;
      return { type: 'mapped', offset, length: Math.min(length, PAGE - within), address, shared: true };
    },
  };
  return { file: new DaxFile(dax, provider), asked: () => count };
}

describe('a file of 2^38 chunks', () => {
  it('is read and written a byte at a time with a few questions each', () => {
    const { file, asked } = endlessFile(device());
    file.write(Uint8Array.of(7), 2 ** 49);
    const byte = new Uint8Array(1);
    file.read(byte, 2 ** 49);
    expect(byte[0]).toBe(7);
    expect(asked()).toBeLessThan(10);
  });

  it('is mapped in part, and closed, with work and memory for that part', () => {
    const { file, asked } = endlessFile(device());
    const mapping = file.map(2 ** 49, 4 * PAGE);
    expect(mapping.bytes).toHaveLength(4 * PAGE);
    expect(file.entries().map(({ index }) => index)).toEqual(
      [0, 1, 2, 3].map((page) => 2 ** 49 / PAGE + page),
    );
    mapping.close();
    expect(file.layoutBusyPage()).toBe(-1);
    file.breakLayout();
    expect(file.entries()).toEqual([]);
    expect(asked()).toBeLessThan(30);
  });

  it('is not mapped in more pieces than a process can have: ENOMEM, before a page was entered', () => {
    const { file, asked } = endlessFile(device());
    expect(() => file.map(0, 2 ** 32)).toThrow(expect.objectContaining({ code: 'ENOMEM' }));
    expect(file.entries()).toEqual([]);
    const limit = Number(fs.readFileSync('/proc/sys/vm/max_map_count', 'utf8'));
    expect(asked()).toBeLessThan(Math.min(limit, 2 ** 20) + 100);
  });
});

const shm = '/dev/shm';
const noShm = fs.existsSync(shm) ? '' : ' (skipped: there is no /dev/shm)';

/** A device over a sparse file on tmpfs. */
function sparseDevice(): { dax: TestDevice['dax']; backing: Backing; takenBytes: () => number } {
  const directory = fs.mkdtempSync(path.join(shm, 'udax-bounded-'));
  const backing = createBacking(path.join(directory, 'memory'), 64 * MIB, { sparse: true });
  const memory = new PhysicalMemory();
  memory.insert({ start: HPA, length: 64 * MIB, backing, offset: 0 });
  const bus = new Bus({ memory });
  bus.insmod('fsdev_dax');
  bus.addRegion({ type: 'device', static: true, start: HPA, size: 64 * MIB, align: 2 * MIB, targetNode: 0 });
  bus.newId('fsdev_dax', 'dax0.0');
  opened.push({
    close() {
      memory.close();
      backing.close();
      fs.rmSync(directory, { recursive: true });
    },
  });
  const takenBytes = () => fs.fstatSync(backing.fd).blocks * 512;
  return { dax: bus.device('dax0.0')!.dax, backing, takenBytes };
}

describe.skipIf(noShm !== '')(`a sparse file on tmpfs${noShm}`, () => {
  it('takes the pages that are read or written, and no others', () => {
    const { dax, takenBytes } = sparseDevice();
    const file = testFile(dax, 48 * MIB, [[8 * MIB, 48 * MIB]]);
    file.read(new Uint8Array(1), 10 * MIB);
    expect(takenBytes()).toBeLessThanOrEqual(PAGE);
    file.write(Uint8Array.of(1, 2), 20 * MIB - 1);
    expect(takenBytes()).toBeLessThanOrEqual(3 * PAGE);
    file.map(30 * MIB, 8 * PAGE).close();
    expect(takenBytes()).toBeLessThanOrEqual(11 * PAGE);
  });
});

describe('a request of more than 64 MiB', () => {
  const GIB = 1024 * MIB;
  const size = 3 * GIB;
  /** The end of each window, and places around and between. */
  const marked = [0, MIB - 1, GIB - 1, GIB, GIB + 64 * MIB - 1, GIB + 64 * MIB, 2 * GIB + 64 * MIB, size - 1];

  it('uses the same windows as small ones, and gets every byte once', () => {
    const { dax, memory, backing } = device(size);
    const file = testFile(dax, size, [[0, size]]);
    for (const [at, position] of marked.entries())
      fs.writeSync(backing.fd, Uint8Array.of(at + 1), 0, 1, position);
    for (const step of [256 * MIB - PAGE, 100 * MIB, 2 * GIB]) {
      const found: number[] = [];
      let next = 0;
      const look = (bytes: Uint8Array, position: number) => {
        expect(position).toBe(next);
        next += bytes.length;
        for (const mark of marked) if (mark >= position && mark < next) found.push(bytes[mark - position]!);
      };
      for (let at = 0; at < size; at += step) file.drain(at, Math.min(step, size - at), look);
      expect(found).toEqual(marked.map((_, at) => at + 1));
      expect(next).toBe(size);
    }
    let filled = 0;
    file.fill(50 * MIB, size - 50 * MIB, (into) => {
      filled += into.length;
    });
    expect(filled).toBe(size - 50 * MIB);
    expect(memory.stats().windows).toBe(3);
  });
});
