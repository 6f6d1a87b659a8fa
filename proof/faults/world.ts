import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { checkInvariants } from '../../src/dax/index.js';
import { fsck, type Machine, mkfs, mountFamfs, openMachine, type Volume } from '../../src/index.js';
import type { FamfsMount } from '../../src/mounts/index.js';
import type { DaxTree } from '../../src/tree/index.js';

const MIB = 2 ** 20;
export const REGION_BYTES = 32 * MIB;
/** The same uuids in every world, so that worlds can be compared. */
const UUIDS = {
  fileSystem: '11111111-1111-4111-8111-111111111111',
  device: '22222222-2222-4222-8222-222222222222',
};
export const MKFS = { uuids: UUIDS };

/** One machine in its own directory, and what an operation has open on it. */
export class World {
  readonly directory = fs.mkdtempSync(
    path.join(fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir(), `udax-faults-${process.pid}-`),
  );
  readonly root = path.join(this.directory, 'state');
  /** A link to the directory `mount`. */
  readonly mountpoint = path.join(this.directory, 'at');
  #machine: Machine | undefined;
  #volume: Volume | undefined;
  /** A model of the kernel's bus, in place of a machine. */
  bus: { look(): unknown; readonly tree: DaxTree } | undefined;
  /** A mount that was there before the operation. */
  mount: FamfsMount | undefined;
  /** What the act opened. It is closed before anybody looks. */
  #given: { close(): unknown }[] = [];

  constructor() {
    fs.mkdirSync(path.join(this.directory, 'mount'));
    fs.symlinkSync('mount', this.mountpoint);
  }

  get machine(): Machine {
    this.#machine ??= openMachine(this.root, { create: true });
    return this.#machine;
  }

  get volume(): Volume {
    this.#volume ??= mountFamfs(this.machine.device('dax0.0'));
    return this.#volume;
  }

  file(name: string): string {
    return path.join(this.directory, name);
  }

  withRegion(): this {
    this.machine.createRegion({ size: REGION_BYTES, sparse: true });
    return this;
  }

  withFamfs(): this {
    this.withRegion().machine.reconfigure('dax0.0', 'famfs');
    mkfs(this.machine.device('dax0.0'), MKFS);
    return this;
  }

  withFiles(): this {
    const { volume } = this.withFamfs();
    volume.mkdir('/d');
    const file = volume.create('/d/a', { size: 3 * MIB });
    file.write(new Uint8Array(3 * MIB).fill(7), 0);
    file.close();
    return this;
  }

  /** Registers what the act opened, so that the world closes it. */
  give<T extends { close(): unknown }>(thing: T): T {
    this.#given.push(thing);
    return thing;
  }

  async endGiven(): Promise<void> {
    const given = this.#given;
    this.#given = [];
    for (const thing of given.reverse()) await thing.close();
  }

  async close(): Promise<void> {
    await this.endGiven();
    await this.mount?.unmount();
    this.#volume?.close();
    this.#machine?.close();
    fs.rmSync(this.directory, { recursive: true, force: true });
  }

  /** Closes the machine and the volume, so that another process has the world to itself. */
  letGo(): void {
    this.#volume?.close();
    this.#machine?.close();
    this.#volume = undefined;
    this.#machine = undefined;
  }

  /** Returns everything that other processes see of the world. */
  look(): unknown {
    if (this.bus) return this.bus.look();
    if (!fs.existsSync(path.join(this.root, 'machine.json'))) return 'no machine';
    const machine = openMachine(this.root);
    try {
      return {
        regions: machine
          .regions()
          .map(({ backing, ...rest }) => ({ ...rest, problem: backing.problem ?? '' })),
        devices: machine.devices(),
        poison: machine.poisonList(),
        nodes: machine.status().nodes,
        wrong: this.#machine ? this.#machine.view((bus) => checkInvariants(bus)) : [],
        volumes: machine
          .devices()
          .filter(({ mode, state }) => mode === 'famfs' && state === 'enabled')
          .map(({ name }) => lookAtVolume(machine, name)),
      };
    } finally {
      machine.close();
    }
  }
}

function lookAtVolume(machine: Machine, name: string): unknown {
  const report = fsck(machine.device(name));
  if (report.superblock === null) return 'no file system';
  if (!report.ok) return { errors: report.errors };
  const volume = mountFamfs(machine.device(name), { readOnly: true });
  try {
    const { size, used, logUsed, files, directories } = volume.statfs();
    return { role: report.superblock.role, size, used, logUsed, files, directories, tree: treeOf(volume) };
  } finally {
    volume.close();
  }
}

function treeOf(volume: Volume): unknown[] {
  return [...volume.walk()].map(({ path: name, size, mode, uid, gid, type }) => {
    if (type === 'directory') return { name, mode, uid, gid };
    const file = volume.open(name);
    const bytes = new Uint8Array(size);
    file.read(bytes, 0);
    file.close();
    return { name, size, mode, uid, gid, crc: crc32(bytes) };
  });
}
