/** Malformed requests of a kernel, to a famfs without a mount. */
import { deviceMedia, formatMedia, mountFamfsOn, type Volume } from '../../../src/famfs/index.js';
import { Dispatcher } from '../../../src/fuse/dispatcher.js';
import type { FuseHost } from '../../../src/fuse/index.js';
import { operations } from '../../../src/fuse/protocol/index.js';
import { FamfsFileSystem } from '../../../src/mounts/famfs/file-system.js';
import { type Head, HOST, headAt } from '../images.js';
import { nasty, nastyName, Random } from '../random.js';
import { assert, Finding, type Target } from '../target.js';
import { MappedDevice } from './volume.js';

const HEADER_BYTES = 40;
const INIT = 26;
const OPCODES = operations.map(({ opcode }) => opcode).filter((opcode) => opcode !== INIT);
/** Numbers of words at the start of a body, before its names. */
const WORDS = [0, 1, 2, 4, 8, 10, 16];

class FuseTarget implements Target {
  readonly name = 'fuse';
  readonly share = 20;
  #mapped: MappedDevice | undefined;
  #head: Head = new Uint8Array(0);

  open(directory: string): void {
    this.#mapped = new MappedDevice(directory);
    const device = this.#mapped.device(HOST);
    const media = deviceMedia(device);
    formatMedia(media, { systemUuid: HOST });
    media.close();
    const volume = mountFamfsOn(device);
    volume.mkdir('/d');
    volume.create('/d/a', { size: 100_000 }).close();
    volume.create('/b', { size: 5 }).close();
    volume.close();
    this.#head = headAt(this.#mapped.writableFd);
  }

  run(recipe: readonly number[]): void {
    this.#mapped!.load(this.#head);
    const volume = mountFamfsOn(this.#mapped!.device(HOST));
    try {
      this.#serve(volume, recipe);
    } finally {
      volume.close();
      this.#mapped!.dirtied();
    }
  }

  #serve(volume: Volume, recipe: readonly number[]): void {
    const broken: unknown[] = [];
    const host: FuseHost = {
      mountpoint: '/nowhere',
      invalidateInode: () => {},
      invalidateEntry: () => {},
      writeLater: () => {},
      post: () => {},
      report: (error) => broken.push(error),
    };
    const times = { seconds: 1, nanoseconds: 0 };
    const fileSystem = new FamfsFileSystem(volume, host, () => {}, {
      times,
      settleMilliseconds: 0,
      xattrs: true,
    });
    const dispatcher = new Dispatcher(fileSystem, {
      onReport: (error) => broken.push(error),
      ...(recipe.length % 2 === 0 && { onWire: () => {} }),
    });
    const bytes = new Uint8Array(dispatcher.request);
    const send = (message: Uint8Array, length = message.length) => {
      bytes.fill(0xee, 0, Math.min(bytes.length, message.length + 256));
      bytes.set(message.subarray(0, bytes.length));
      dispatcher.serve(length);
      const { reply } = dispatcher;
      if (reply.pieces === 0) return;
      assert(reply.length >= 16 && reply.length <= bytes.length + 4096, `a reply of ${reply.length} bytes`);
    };
    send(initMessage());
    // Node ids and handles that may exist.
    const known = [0n, 1n, 2n, 3n, 4n, 5n, 2n ** 40n, 2n ** 40n + 1n, 2n ** 64n - 1n];
    for (const seed of recipe) {
      const random = new Random(seed + 6);
      for (let requests = 1 + random.below(8); requests > 0; requests--) {
        const message = messageOf(random, known);
        send(message, random.once(10) ? random.below(message.length + 1) : message.length);
      }
    }
    dispatcher.destroy();
    const bug = broken.find(isBug);
    if (bug !== undefined)
      throw new Finding(`a handler broke: ${(((bug as Error).cause ?? bug) as Error).stack}`);
  }

  close(): void {
    this.#mapped?.close();
  }
}

/** A malformed request gives an error with an errno. An error without one is a bug of a handler. */
function isBug(error: unknown): boolean {
  const { cause } = error as { cause?: unknown };
  const real = cause ?? error;
  return !(real instanceof Error && 'errno' in real);
}

function initMessage(): Uint8Array {
  const message = new Uint8Array(HEADER_BYTES + 64);
  const view = new DataView(message.buffer);
  view.setUint32(0, message.length, true);
  view.setUint32(4, INIT, true);
  view.setUint32(40, 7, true);
  view.setUint32(44, 45, true);
  view.setUint32(48, 131072, true);
  view.setUint32(52, 0x73fffffb, true);
  view.setUint32(56, 0x5fd, true);
  return message;
}

function messageOf(random: Random, known: readonly bigint[]): Uint8Array {
  const words = random.pick(WORDS);
  const name = random.once(3)
    ? Buffer.from(random.pick(['d\0', 'b\0', 'd\0x\0', 'new\0', 'a\0', 'b\0user.famfs.map\0']))
    : nastyName(random);
  const message = new Uint8Array(HEADER_BYTES + words * 4 + name.length + (random.once(2) ? 1 : 0));
  const view = new DataView(message.buffer);
  view.setUint32(0, random.once(12) ? Number(nasty(random, 40n) & 0xffffffffn) : message.length, true);
  view.setUint32(4, random.once(20) ? random.u32() : random.pick(OPCODES), true);
  view.setBigUint64(8, BigInt(random.u32()), true);
  view.setBigUint64(16, random.once(10) ? nasty(random, 1n) : random.pick(known), true);
  for (const at of [24, 28]) view.setUint32(at, random.pick([0, 0, 1000, 0xffffffff]), true);
  view.setUint32(32, 77, true);
  view.setUint16(36, random.once(20) ? random.below(65536) : 0, true);
  for (let i = 0; i + 1 < words; i += 2) {
    const value = random.once(2) ? random.pick(known) : nasty(random, 4096n);
    view.setBigUint64(HEADER_BYTES + i * 4, value, true);
    if (random.once(3))
      view.setUint32(HEADER_BYTES + i * 4, random.pick([0, 1, 2, 0o100644, 0o644, 4096, 0x8000]), true);
  }
  message.set(name, HEADER_BYTES + words * 4);
  return message;
}

export const fuseTarget: Target = new FuseTarget();
