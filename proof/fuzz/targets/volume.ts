/** Images on real memory: a mapped file that is mounted like by a library user, and used. */
import fs from 'node:fs';
import path from 'node:path';
import { Bus } from '../../../src/dax/index.js';
import {
  deviceMedia,
  type FamfsDevice,
  fsckMedia,
  type MountOptions,
  mountFamfsOn,
  openQueue,
  queueInfo,
  type Volume,
} from '../../../src/famfs/index.js';
import { punchHole } from '../../../src/libc/index.js';
import { openBacking, PhysicalMemory } from '../../../src/memory/index.js';
import {
  DEVICE_BYTES,
  type Head,
  HOST,
  imageOf,
  METADATA_BYTES,
  makeBases,
  OTHER_HOST,
  piecesOf,
} from '../images.js';
import { Random } from '../random.js';
import { answered, answeredLater, assert, type Target } from '../target.js';

const HPA = 2 ** 40;
const UNIT = 2 ** 21;
/** Most bytes of a file that are read. */
const MOST_READ = 64 * 1024;

/** A device over a file, with its own bus model, as in test/famfs/volume. */
export class MappedDevice {
  readonly file: string;
  readonly #backing;
  readonly #memory = new PhysicalMemory();
  readonly #bus: Bus;
  readonly writableFd: number;
  #isDirty = true;

  constructor(directory: string) {
    this.file = path.join(directory, 'pool');
    this.writableFd = fs.openSync(this.file, 'w+');
    fs.ftruncateSync(this.writableFd, DEVICE_BYTES);
    this.#backing = openBacking(this.file, { writable: true });
    this.#memory.insert({ start: HPA, length: DEVICE_BYTES, backing: this.#backing, offset: 0 });
    this.#bus = new Bus({ memory: this.#memory });
    this.#bus.insmod('fsdev_dax');
    this.#bus.addRegion({
      type: 'device',
      static: true,
      start: HPA,
      size: DEVICE_BYTES,
      align: UNIT,
      targetNode: 0,
    });
    this.#bus.newId('fsdev_dax', 'dax0.0');
  }

  device(systemUuid: string): FamfsDevice {
    return {
      name: 'dax0.0',
      dax: this.#bus.device('dax0.0')!.dax,
      systemUuid,
      writable: true,
      hold: () => ({ release() {} }),
    };
  }

  /** Loads an image through another descriptor, as another host would. */
  load(head: Head): void {
    const end = 2 ** 21 + 2 ** 20;
    if (this.#isDirty) punchHole(this.writableFd, end, METADATA_BYTES - end);
    if (this.#isDirty) punchHole(this.writableFd, 4096, 2 ** 21 - 4096);
    this.#isDirty = false;
    for (const [at, piece] of piecesOf(head)) fs.writeSync(this.writableFd, piece, 0, piece.length, at);
    const rest = 2 ** 21 + piecesOf(head)[1]![1].length;
    punchHole(this.writableFd, rest, end - rest);
  }

  /** Whether the file still has this image. */
  isStill(head: Head): boolean {
    return piecesOf(head).every(([at, piece]) => {
      const bytes = new Uint8Array(piece.length);
      fs.readSync(this.writableFd, bytes, 0, piece.length, at);
      return Buffer.compare(bytes, piece) === 0;
    });
  }

  /** A case may have stored anywhere in the metadata. */
  dirtied(): void {
    this.#isDirty = true;
  }

  close(): void {
    this.#memory.close();
    this.#backing.close();
    fs.closeSync(this.writableFd);
  }
}

class VolumeTarget implements Target {
  readonly name = 'volume';
  readonly share = 60;
  #directory = '';
  #mapped: MappedDevice | undefined;

  open(directory: string): void {
    this.#directory = directory;
    this.#mapped = new MappedDevice(directory);
    makeBases();
  }

  async run(recipe: readonly number[]): Promise<void> {
    const mapped = this.#mapped!;
    const head = imageOf(recipe);
    const random = new Random((recipe.at(-1) ?? 0) + 5);
    mapped.load(head);
    const device = mapped.device(random.once(4) ? OTHER_HOST : HOST);
    const isReader = random.once(2);
    const options: MountOptions = isReader
      ? { readOnly: true, salvage: random.once(3) }
      : random.once(3)
        ? { clientWrites: true }
        : {};
    const media = deviceMedia(device);
    const isClean = answered(() => fsckMedia(media).ok) ?? false;
    media.close();
    const volume = answered(() => mountFamfsOn(device, options));
    // A volume that fsck finds clean must be mountable.
    if (volume === undefined) {
      assert(!isClean, 'fsck finds nothing, and it cannot be mounted');
      return;
    }
    try {
      await this.#use(volume, random, isReader);
    } finally {
      volume.close();
    }
    if (isReader) {
      assert(mapped.isStill(head), 'a volume mounted read-only was written');
    } else mapped.dirtied();
  }

  async #use(volume: Volume, random: Random, isReader: boolean): Promise<void> {
    void [volume.problems, volume.skipped, volume.devices];
    answered(() => volume.statfs());
    const buffer = new Uint8Array(MOST_READ);
    const names: string[] = [];
    for (const stat of volume.walk()) {
      names.push(stat.path);
      assert(
        /^\/(?!.*\/\/)/.test(stat.path) && !stat.path.split('/').includes('..') && !stat.path.includes('\0'),
        `a name leads out: ${JSON.stringify(stat.path)}`,
      );
      if (stat.type === 'directory') continue;
      answered(() => volume.getmap(stat.path));
      const file = answered(() => volume.open(stat.path));
      if (file === undefined) continue;
      answered(() => file.read(buffer, 0));
      answered(() => file.read(buffer, Math.max(0, file.size - 100)));
      const view = answered(() => file.map({ length: Math.min(file.size, 8192) }));
      if (view) void view[view.length - 1];
      answered(() => file.checkMemory());
      if (random.once(6)) answered(() => queueInfo(volume, stat.path));
      file.close();
    }
    if (names.length > 0 && random.once(8)) {
      const out = path.join(this.#directory, 'out');
      await answeredLater(() => volume.copyOut(random.pick(names), out));
      fs.rmSync(out, { force: true });
    }
    if (isReader) return;
    answered(() => volume.mkdir(`/made${random.below(9)}`));
    answered(() => volume.create(`/new${random.below(9)}`, { size: 1 + random.below(100_000) }).close());
    if (names.length > 0) {
      answered(() => volume.clone(random.pick(names), '/clone', { force: random.once(2) }));
      answered(() => openQueue(volume, random.pick(names), { role: 'both' }).close());
      const file = answered(() => volume.open(random.pick(names), { writable: true }));
      if (file) answered(() => file.write(buffer.subarray(0, 9), random.below(100)));
      file?.close();
    }
    answered(() => volume.refresh());
    answered(() => volume.publish());
  }

  close(): void {
    this.#mapped?.close();
  }
}

export const volumeTarget: Target = new VolumeTarget();
