import fs from 'node:fs';
import { DaxError } from '../../../src/libc/index.js';
import { type Piece, request, type Wire } from '../../fuse/support/wire.js';

/** INIT of the recorded kernel: 7.47 with PASSTHROUGH_V2. */
export const initOfMaps = new Uint8Array(
  Buffer.from(
    '680000001a0000000200000000000000000000000000000000000000000000005901000000000000070000002f00000000000200fbffff73fd25000000000000' +
      '00000000000000000000000000000000000000000000000000000000000000000000000000000000',
    'hex',
  ),
);

/** Requests of programs, as the kernel makes them, and their answers. */
export class Requests {
  wire!: Wire;
  /** Set by the side of the main thread: it has answered a WRITE. */
  isAnsweredLater = false;

  ask(opcode: number, node: number, pid: number, ...body: Piece[]): { error: number; body: DataView } {
    const message = request(opcode, 8n, BigInt(node), ...body);
    const header = new DataView(message.buffer);
    header.setUint32(24, 0, true); // uid
    header.setUint32(28, 0, true); // gid
    header.setUint32(32, pid, true);
    this.isAnsweredLater = false;
    const reply = this.wire.send(message);
    if (reply === null && this.isAnsweredLater) return { error: 0, body: new DataView(new ArrayBuffer(8)) };
    const view = new DataView(reply!.buffer, reply!.byteOffset, reply!.byteLength);
    return { error: view.getInt32(4, true), body: new DataView(reply!.buffer, reply!.byteOffset + 16) };
  }

  /** @returns a negative errno, or 0 */
  askWrite(node: number, handle: bigint, text: string, offset: number): number {
    const words: Piece[] = [
      ['u64', handle],
      ['u64', BigInt(offset)],
      ['u32', Buffer.byteLength(text)],
      ['u32', 0],
      ['u64', 0n],
      ['u64', 0n],
    ];
    return this.ask(16, node, 77, ...words, ['text', text]).error;
  }

  askRead(node: number, handle: bigint, length: number, offset: number): string {
    const { error, body } = this.ask(15, node, 77, ...readIn(handle, offset, length));
    if (error !== 0) throw new DaxError(errnoName(error), 'read');
    return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1');
  }

  /** READDIRPLUS. */
  askNames(directory: number): DataView {
    const { error, body } = this.ask(44, directory, 77, ...readIn(0n, 0, 65536));
    if (error !== 0) throw new DaxError(errnoName(error), 'readdir');
    return body;
  }

  /** stat(2): st_mode. */
  mode(node: number): number {
    return this.ask(3, node, 77, ['u32', 0], ['u32', 0], ['u64', 0n]).body.getUint32(16 + 60, true);
  }

  /** @returns 0 or a negative errno */
  unlink(parent: number, name: string): number {
    const { error } = this.ask(10, parent, 77, ['text', `${name}\0`]);
    return error;
  }
}

const readIn = (handle: bigint, offset: number, length: number): Piece[] => [
  ['u64', handle],
  ['u64', BigInt(offset)],
  ['u32', length],
  ['u32', 0],
  ['u64', 0n],
  ['u64', 0n],
];

export function errnoName(error: number): 'EIO' {
  return (Object.entries(codes).find(([, value]) => value === -error)?.[0] ?? 'EIO') as 'EIO';
}

const codes = {
  EPERM: 1,
  ENOENT: 2,
  EIO: 5,
  EBUSY: 16,
  EEXIST: 17,
  EISDIR: 21,
  EINVAL: 22,
  EROFS: 30,
  ESTALE: 116,
};

/** The bytes of a file that this process has mapped and touched. */
export function mappedBytes(file: string): [number, number][] {
  const found: [number, number][] = [];
  let range: [number, number] | null = null;
  for (const line of fs.readFileSync('/proc/self/smaps', 'utf8').split('\n')) {
    const head = /^([0-9a-f]+)-([0-9a-f]+) \S+ ([0-9a-f]+) \S+ \d+ +(\/.*)?$/.exec(line);
    if (head) {
      const [, start, end, offset, name] = head;
      const bytes = Number.parseInt(end!, 16) - Number.parseInt(start!, 16);
      const at = Number.parseInt(offset!, 16);
      range = name === file ? [at, at + bytes] : null;
    } else if (range !== null && /^Rss: +[1-9]/.test(line)) {
      found.push(range);
      range = null;
    }
  }
  return found;
}
