// What the tests of single checks share: a formatted medium, fields damaged with their checksum made right, the error of a call.
import { crc32 } from 'node:zlib';
import { bufferMedia, formatMedia, type Media } from '../../src/famfs/index.js';
import { GIB, HOST, MIB } from './volume-maker.js';

export const LOG = 2 * MIB;
export const ENTRY = 544;
export const slotAt = (index: number) => LOG + 48 + index * ENTRY;

/** A formatted medium with its bytes in hand. */
export function formatted(size = GIB): { bytes: Uint8Array<ArrayBuffer>; media: Media } {
  const bytes = new Uint8Array(2 * MIB + 8 * MIB);
  const media = bufferMedia(bytes, { name: 'test', size });
  formatMedia(media, { systemUuid: HOST });
  return { bytes, media };
}

/** Stores a value, and makes the checksum that covers it right again. */
function put(bytes: Uint8Array, at: number, value: bigint, crcAt: number, from: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setBigUint64(at, value, true);
  view.setBigUint64(crcAt, BigInt(crc32(bytes.subarray(from, crcAt))), true);
}
export const putSuperblock = (bytes: Uint8Array, at: number, value: bigint) => put(bytes, at, value, 96, 0);
export const putHeader = (bytes: Uint8Array, at: number, value: bigint) =>
  put(bytes, LOG + at, value, LOG + 24, LOG);

export function error(run: () => unknown): { code: string; message: string; hint?: string; path?: string } {
  try {
    run();
  } catch (thrown) {
    return thrown as ReturnType<typeof error>;
  }
  throw new Error('nothing was thrown');
}
