import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Bus } from '../../../src/dax/index.js';
import {
  deviceMedia,
  type FamfsDevice,
  formatMedia,
  fsckMedia,
  mountFamfsOn,
} from '../../../src/famfs/index.js';
import type { MountOptions, Volume } from '../../../src/famfs/volume/index.js';
import { type Backing, openBacking, PhysicalMemory } from '../../../src/memory/index.js';

export const MIB = 2 ** 20;
export const UNIT = 2 * MIB;
export const PAGE = 4096;
export const HPA = 2 ** 40;
export const THIS_HOST = '11111111-2222-4333-8444-555555555555';
export const OTHER_HOST = '99999999-2222-4333-8444-555555555555';

/** A device over a file, with its own bus model. A second one over the same file is like another process. */
export interface Machine extends FamfsDevice {
  bus: Bus;
  memory: PhysicalMemory;
  backing: Backing;
  held: string[];
  close(): void;
}

export interface MachineOptions {
  uuid?: string;
  writable?: boolean;
  /** Bytes of the device. More than the file has: an image that was cut. */
  size?: number;
  /** Make the device of these [offset, length] parts of the file, in MiB. */
  ranges?: [number, number][];
}

export function machineOver(file: string, options: MachineOptions = {}): Machine {
  const { uuid = THIS_HOST, writable = true, size = fs.statSync(file).size, ranges } = options;
  const backing = openBacking(file, { writable });
  const memory = new PhysicalMemory();
  memory.insert({ start: HPA, length: size, backing, offset: 0, zeroExtend: size > backing.size });
  const bus = new Bus({ memory });
  bus.insmod('fsdev_dax');
  const where = { type: 'device' as const, start: HPA, size, align: UNIT, targetNode: 0 };
  bus.addRegion(ranges ? { ...where, idle: true } : { ...where, static: true });
  for (const [offset, length] of ranges ?? []) {
    bus.device('dax0.0')!.addMapping(HPA + offset * MIB, HPA + (offset + length) * MIB - 1);
  }
  bus.newId('fsdev_dax', 'dax0.0');
  const held: string[] = [];
  return {
    name: 'dax0.0',
    dax: bus.device('dax0.0')!.dax,
    systemUuid: uuid,
    writable,
    hold(purpose) {
      held.push(purpose);
      return { release: () => void held.splice(held.indexOf(purpose), 1) };
    },
    bus,
    memory,
    backing,
    held,
    close() {
      memory.close();
      backing.close();
    },
  };
}

/** A formatted pool in its own directory. Its machines and volumes end with it. */
export class Pool {
  readonly directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-volume-'));
  readonly file = path.join(this.directory, 'pool');
  readonly #machines: Machine[] = [];
  readonly #volumes: Volume[] = [];

  constructor({ size = 64 * MIB, format = true, uuid = THIS_HOST, logLength = 8 * MIB } = {}) {
    fs.writeFileSync(this.file, '');
    fs.truncateSync(this.file, size);
    if (!format) return;
    const machine = machineOver(this.file);
    formatMedia(deviceMedia(machine), { systemUuid: uuid, logLength });
    machine.close();
  }

  machine(options: MachineOptions = {}): Machine {
    const machine = machineOver(this.file, options);
    this.#machines.push(machine);
    return machine;
  }

  /** A volume on a machine of its own. */
  mount(options: MountOptions & MachineOptions = {}): Volume {
    return this.mountOn(this.machine(options), options);
  }

  mountOn(machine: Machine, options: MountOptions = {}): Volume {
    const { role, readOnly = false, clientWrites = false, salvage = false, plain = false } = options;
    const volume = mountFamfsOn(machine, { readOnly, clientWrites, salvage, plain, ...(role && { role }) });
    this.#volumes.push(volume);
    return volume;
  }

  /** Superblock and log as they are on the media. */
  metadata(): Buffer {
    const bytes = Buffer.alloc(10 * MIB);
    const fd = fs.openSync(this.file, 'r');
    fs.readSync(fd, bytes);
    fs.closeSync(fd);
    return bytes;
  }

  /** Problems that fsck finds. */
  fsck(): string[] {
    const machine = machineOver(this.file);
    const report = fsckMedia(deviceMedia(machine));
    machine.close();
    return report.errors.map(({ code, message }) => `${code}: ${message}`);
  }

  /** A host file with these bytes. */
  hostFile(name: string, bytes: Uint8Array): string {
    const file = path.join(this.directory, name);
    fs.writeFileSync(file, bytes);
    return file;
  }

  close(): void {
    for (const volume of this.#volumes) volume.close();
    for (const machine of this.#machines) machine.close();
    fs.rmSync(this.directory, { recursive: true });
  }
}

export function pattern(length: number, seed = 0): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >> 8) * 7 + seed) & 0xff;
  return bytes;
}

export function contentOf(volume: Volume, file: string): Uint8Array {
  const bytes = new Uint8Array(volume.stat(file).size);
  const open = volume.open(file);
  open.read(bytes, 0);
  open.close();
  return bytes;
}
