/** Arenas with wrong headers, slots, indexes, lists and heaps. */
import fs from 'node:fs';
import { crc32 } from 'node:zlib';
import { type Arena, createArena, fsckArena, openArena } from '../../../src/arena/index.js';
import { headerLayout, placesOf, type Shape } from '../../../src/arena/layout.js';
import { deviceMedia, formatMedia, mountFamfsOn, type Volume } from '../../../src/famfs/index.js';
import { HOST } from '../images.js';
import { nasty, Random } from '../random.js';
import { answered, assert, type Target } from '../target.js';
import { MappedDevice } from './volume.js';

const SHAPE: Shape = {
  fileBytes: 131_072,
  hosts: 1,
  membersPerHost: 2,
  pinsPerMember: 16,
  slotsPerHost: 16,
  maxKeyBytes: 32,
  alignBytes: 64,
};
const KEYS = ['a', 'bb', 'ccc', 'dddd', 'eeeee', 'a-key-of-the-longest-32-bytes-xx'];

class ArenaTarget implements Target {
  readonly name = 'arena';
  readonly share = 60;
  #mapped: MappedDevice | undefined;
  #volume: Volume | undefined;
  #at = 0;
  #metadata = new Uint8Array(0);

  open(directory: string): void {
    const mapped = new MappedDevice(directory);
    this.#mapped = mapped;
    const device = mapped.device(HOST);
    const media = deviceMedia(device);
    formatMedia(media, { systemUuid: HOST });
    media.close();
    const volume = mountFamfsOn(device);
    this.#volume = volume;
    const {
      fileBytes: size,
      slotsPerHost: slots,
      membersPerHost: members,
      pinsPerMember: pins,
      maxKeyBytes,
    } = SHAPE;
    createArena(volume, '/kv', { size, slots, members, pins, maxKeyBytes, eviction: 'clock' });
    const arena = openArena(volume, '/kv');
    for (const key of KEYS) arena.put(key, new Uint8Array(key.length * 700).fill(key.length));
    arena.delete('bb');
    arena.close();
    this.#at = volume.getmap('/kv').extents[0]!.offset;
    this.#metadata = new Uint8Array(placesOf(SHAPE).heapOffset);
    fs.readSync(mapped.writableFd, this.#metadata, 0, this.#metadata.length, this.#at);
  }

  run(recipe: readonly number[]): void {
    this.#store(0, this.#metadata);
    for (const seed of recipe) this.#change(new Random(seed), true);
    const volume = this.#volume!;
    const random = new Random((recipe.at(-1) ?? 0) + 5);
    answered(() => fsckArena(volume, '/kv', { repair: random.once(4) }));
    const arena = answered(() => openArena(volume, '/kv', { readOnly: random.once(4) }));
    if (arena === undefined) return;
    try {
      for (let i = 0; i < 12; i++) {
        // Another process writes into the arena while it is in use.
        if (random.once(5)) this.#change(random, false);
        this.#act(arena, random);
      }
    } finally {
      arena.close();
    }
  }

  #act(arena: Arena, random: Random): void {
    const key = random.pick(KEYS);
    const most = SHAPE.fileBytes;
    const acts = [
      () => {
        const value = answered(() => arena.get(key));
        if (value)
          assert(
            value.bytes.length > 0 && value.bytes.length <= most,
            `a value of ${value.bytes.length} bytes`,
          );
        value?.release();
      },
      () => {
        const bytes = answered(() => arena.read(key));
        if (bytes) assert(bytes.length > 0 && bytes.length <= most, `a copy of ${bytes.length} bytes`);
      },
      () => answered(() => arena.put(key, new Uint8Array(1 + random.below(20_000)))),
      () => answered(() => arena.reserve(key, 1 + random.below(20_000)).commit()),
      () => answered(() => arena.reserve(key, 1 + random.below(20_000)).abort()),
      () => answered(() => arena.delete(key)),
      () => answered(() => arena.evict(random.below(10_000))),
      () => answered(() => arena.reap()),
      () => answered(() => arena.hasBatch(KEYS)),
      () => answered(() => arena.stats()),
      () => answered(() => [...arena.list()].length),
      () => answered(() => arena.open(`${random.below(16)}.0.${random.below(9)}`).release()),
    ];
    random.pick(acts)();
  }

  #change(random: Random, mayChangeHeader: boolean): void {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, nasty(random, BigInt(random.below(20))), true);
    if (mayChangeHeader && random.once(6)) {
      const head = this.#metadata.slice(0, headerLayout.size);
      const { offset, size } = random.pick(Object.values(headerLayout.fields));
      head.set(bytes.subarray(0, Math.min(size, 8)), offset);
      const crcAt = headerLayout.fields.crc.offset;
      if (offset !== crcAt) new DataView(head.buffer).setUint32(crcAt, crc32(head.subarray(0, crcAt)), true);
      this.#store(0, head);
      return;
    }
    const places = placesOf(SHAPE);
    const [from, length] = random.pick([
      [4096, 1024],
      [4096 + places.memberWord * 4, SHAPE.membersPerHost * places.memberWords * 4],
      [4096 + places.indexWord * 4, places.bucketsPerHost * 64],
      [4096 + places.slotWord * 4, SHAPE.slotsPerHost * places.slotBytes],
      [4096 + places.blockWord * 4, 20 * 32],
    ] as const);
    this.#store(from + random.below(length / 4) * 4, bytes.subarray(0, 4));
  }

  #store(at: number, bytes: Uint8Array): void {
    fs.writeSync(this.#mapped!.writableFd, bytes, 0, bytes.length, this.#at + at);
  }

  close(): void {
    this.#volume?.close();
    this.#mapped?.close();
  }
}

export const arenaTarget: Target = new ArenaTarget();
