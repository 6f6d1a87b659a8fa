import { describe, expect, it } from 'vitest';
import {
  bufferMedia,
  formatMedia,
  fsckMedia,
  interruptedTakeOver,
  type Media,
  readSuperblock,
  takeOver,
} from '../../src/famfs/index.js';

const MIB = 2 ** 20;
const DEVICE = 64 * MIB;
const OLD = '11111111-2222-4333-8444-555555555555';
const NEW = '99999999-2222-4333-8444-555555555555';
const THIRD = '77777777-2222-4333-8444-555555555555';
/** Superblock, record and log header. Everything after them reads as zero. */
const IMAGE = 2 * MIB + 4096;

function freshImage(): Uint8Array {
  const whole = new Uint8Array(10 * MIB);
  formatMedia(bufferMedia(whole, { size: DEVICE }), { systemUuid: OLD });
  return whole.slice(0, IMAGE);
}
const fresh = freshImage();
const media = (bytes = fresh.slice()): Media => bufferMedia(bytes, { name: 'pool', size: DEVICE });
const code = (error: string) => expect.objectContaining({ code: error });

describe('taking a file system over', () => {
  it('changes the owner and its crc, and nothing else', () => {
    const bytes = fresh.slice();
    const result = takeOver(media(bytes), { systemUuid: NEW, from: OLD });
    expect(result).toMatchObject({ from: OLD, to: NEW, changed: true, completed: false });
    expect(readSuperblock(media(bytes)).systemUuid).toBe(NEW);
    const changed = [...bytes.keys()].filter((at) => bytes[at] !== fresh[at]);
    expect(changed.every((at) => at >= 80 && at < 104)).toBe(true);
    expect(fsckMedia(bufferMedia(padded(bytes), { size: DEVICE }), { systemUuid: NEW })).toMatchObject({
      ok: true,
      superblock: { role: 'master' },
    });
  });

  it('wants the old owner named, or force', () => {
    const bytes = fresh.slice();
    expect(() => takeOver(media(bytes), { systemUuid: NEW })).toThrow(code('EPERM'));
    expect(() => takeOver(media(bytes), { systemUuid: NEW, from: THIRD })).toThrow(code('EINVAL'));
    expect(() => takeOver(media(bytes), { systemUuid: NEW, from: 'nonsense' })).toThrow(code('EINVAL'));
    expect(Buffer.compare(bytes, fresh)).toBe(0);
    expect(takeOver(media(bytes), { systemUuid: NEW, force: true }).changed).toBe(true);
  });

  it('writes nothing when it is ours already', () => {
    const bytes = fresh.slice();
    expect(takeOver(media(bytes), { systemUuid: OLD })).toMatchObject({ changed: false });
    expect(Buffer.compare(bytes, fresh)).toBe(0);
  });

  it('refuses a superblock that is damaged in another way', () => {
    const bytes = fresh.slice();
    bytes[60]! ^= 1;
    expect(() => takeOver(media(bytes), { systemUuid: NEW, force: true })).toThrow(code('EBADMSG'));
    expect(interruptedTakeOver(media(bytes))).toBeNull();
  });
});

function padded(bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array(10 * MIB);
  whole.set(bytes);
  return whole;
}
