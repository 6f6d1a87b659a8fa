import { Dispatcher, type DispatcherOptions } from '../../../src/fuse/dispatcher.js';
import type { FuseFileSystem } from '../../../src/fuse/index.js';
import { addressOf, memcpy } from '../../../src/libc/index.js';

/** Little-endian bytes from annotated pieces: `['u32', 64]`, `['u64', 1n]`, `['text', 'a\0']`. */
export type Piece =
  | readonly ['u16' | 'u32' | 'i32', number]
  | readonly ['u64', bigint]
  | readonly ['text', string];

export function bytesOf(...pieces: Piece[]): Uint8Array {
  const parts = pieces.map(([type, value]) => {
    if (type === 'text') return Buffer.from(value);
    const part = Buffer.alloc(type === 'u16' ? 2 : type === 'u64' ? 8 : 4);
    if (type === 'u16') part.writeUInt16LE(value);
    else if (type === 'u64') part.writeBigUInt64LE(value);
    else if (type === 'i32') part.writeInt32LE(value);
    else part.writeUInt32LE(value);
    return part;
  });
  return new Uint8Array(Buffer.concat(parts));
}

/** A whole request: header for uid 1000, gid 100, pid 77, then the body. */
export function request(opcode: number, unique: bigint, node: bigint, ...body: Piece[]): Uint8Array {
  const tail = bytesOf(...body);
  const header = bytesOf(
    ['u32', 40 + tail.length], // length
    ['u32', opcode],
    ['u64', unique],
    ['u64', node],
    ['u32', 1000], // uid
    ['u32', 100], // gid
    ['u32', 77], // pid
    ['u16', 0], // total_extlen
    ['u16', 0], // padding
  );
  return new Uint8Array(Buffer.concat([header, tail]));
}

/** The INIT request of Linux 6.18. */
export const initRequest = request(
  26,
  2n,
  0n,
  ['u32', 7], // major
  ['u32', 45], // minor
  ['u32', 131072], // max_readahead
  ['u32', 0x73fffffb], // flags
  ['u32', 0x5fd], // flags2
  ...Array.from({ length: 11 }, () => ['u32', 0] as const),
);

/** A dispatcher that gets requests as bytes and returns replies as bytes. */
export class Wire {
  readonly reports: unknown[] = [];
  readonly lines: string[] = [];
  readonly dispatcher: Dispatcher;

  constructor(
    fileSystem: Partial<FuseFileSystem>,
    { initialized = true, ...options }: { initialized?: boolean } & Partial<DispatcherOptions> = {},
  ) {
    this.dispatcher = new Dispatcher(fileSystem as FuseFileSystem, {
      ...options,
      onReport: (error) => this.reports.push(error),
      onWire: (line) => this.lines.push(line),
    });
    if (initialized) this.send(initRequest);
  }

  /** The reply, joined from its pieces as writev would do; null for none. */
  send(message: Uint8Array): Uint8Array | null {
    new Uint8Array(this.dispatcher.request).fill(0xee); // what an earlier request left must not matter
    new Uint8Array(this.dispatcher.request).set(message);
    this.dispatcher.serve(message.length);
    const { reply } = this.dispatcher;
    const bytes = reply.pieces === 0 ? null : gather(reply.iovecAddress, reply.pieces, reply.length);
    if (this.dispatcher.isStarting) this.dispatcher.started();
    return bytes;
  }
}

function gather(iovecs: number, count: number, length: number): Uint8Array {
  const table = new BigUint64Array(new ArrayBuffer(count * 16));
  memcpy(addressOf(table.buffer), iovecs, count * 16);
  const all = new Uint8Array(new ArrayBuffer(length));
  let at = 0;
  for (let index = 0; index < count; index += 1) {
    const bytes = Number(table[index * 2 + 1]);
    memcpy(addressOf(all.buffer) + at, Number(table[index * 2]), bytes);
    at += bytes;
  }
  if (at !== length) throw new Error(`pieces have ${at} bytes, the reply says ${length}`);
  return all;
}
