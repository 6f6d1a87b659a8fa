import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Bus, type DaxDevice } from '../../src/dax/index.js';
import { DaxFile, type Iomap, type IomapProvider } from '../../src/fsdax/index.js';
import { type Backing, createBacking, PhysicalMemory } from '../../src/memory/index.js';

export const MIB = 2 ** 20;
export const PMD = 2 * MIB;
export const PAGE = 4096;
/** Address of the test memory. */
export const HPA = 2 ** 40;

/** A bus with one device in famfs mode over a real (sparse) file in its own directory. */
export interface TestDevice {
  bus: Bus;
  dax: DaxDevice;
  memory: PhysicalMemory;
  backing: Backing;
  path: string;
  close(): void;
}

/** @param backed bytes that really exist: less than `size` is an image that was cut */
export function testDevice({
  size = 64 * MIB,
  start = HPA,
  backed = size,
}: {
  size?: number;
  start?: number;
  backed?: number;
} = {}): TestDevice {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-fsdax-'));
  const file = path.join(directory, 'memory');
  const backing = createBacking(file, backed, { sparse: true });
  const memory = new PhysicalMemory();
  memory.insert({ start, length: size, backing, offset: 0, zeroExtend: backed < size });
  const bus = new Bus({ memory });
  bus.insmod('fsdev_dax');
  bus.addRegion({
    type: 'device',
    static: true,
    start,
    size,
    align: start % PMD === 0 ? PMD : PAGE,
    targetNode: 0,
  });
  bus.newId('fsdev_dax', 'dax0.0');
  return {
    bus,
    dax: bus.device('dax0.0')!.dax,
    memory,
    backing,
    path: file,
    close() {
      memory.close();
      backing.close();
      fs.rmSync(directory, { recursive: true });
    },
  };
}

/** A file whose bytes lie in the given device extents, one after the other. */
export function testFile(
  dax: DaxDevice,
  size: number,
  extents: [offset: number, length: number][],
  { shared = false, name = '/file on dax0.0' } = {},
): DaxFile {
  const provider: IomapProvider = {
    name,
    size,
    iomap(offset: number, length: number): Iomap {
      let within = offset;
      for (const [start, bytes] of extents) {
        if (within < bytes) {
          return {
            type: 'mapped',
            offset,
            length: Math.min(length, bytes - within),
            address: start + within,
            shared,
          };
        }
        within -= bytes;
      }
      throw new Error(`no byte ${offset} in the test file`);
    },
  };
  return new DaxFile(dax, provider);
}

/** Bytes that depend on their position. */
export function pattern(length: number, seed = 0): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >> 8) * 7 + seed) & 0xff;
  return bytes;
}
