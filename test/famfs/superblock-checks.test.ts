// Each check of the superblock by its value: which code, which byte, and what it takes to pass. (Golden images
// have whole damaged media; here each field is damaged alone.)
import { describe, expect, it } from 'vitest';
import { bufferMedia, checkSuperblock, readSuperblock, superblockFaults } from '../../src/famfs/index.js';
import type { LostRange } from '../../src/famfs/media/media.js';
import { error, formatted, putSuperblock } from './damaged.js';
import { GIB, MIB } from './volume-maker.js';

describe('checkSuperblock()', () => {
  const check = (change: (bytes: Uint8Array) => void) => {
    const { bytes } = formatted();
    change(bytes);
    return checkSuperblock(bytes.subarray(0, 200));
  };

  it('passes what mkfs made, with either allocation unit', () => {
    expect(check(() => {})).toEqual({ result: 0, problem: null });
    expect(check((bytes) => putSuperblock(bytes, 32, 4096n))).toEqual({ result: 0, problem: null });
  });

  it('in the order of C: what is missing, magic, version, crc, unit', () => {
    expect(checkSuperblock(null)).toMatchObject({
      result: -1,
      problem: { code: 'superblock-missing', offset: 0 },
    });
    expect(checkSuperblock(new Uint8Array(199))).toMatchObject({
      result: -1,
      problem: { code: 'superblock-missing' },
    });
    expect(check((bytes) => putSuperblock(bytes, 0, 1n))).toMatchObject({
      result: -1,
      problem: { code: 'superblock-magic', offset: 0 },
    });
    expect(check((bytes) => putSuperblock(bytes, 0, 0x7772_6475n))).toMatchObject({
      result: -1,
      problem: { code: 'superblock-rewrite', offset: 0 },
    });
    expect(check((bytes) => putSuperblock(bytes, 8, 0x1_0000_002fn))).toEqual({
      result: 1,
      problem: {
        code: 'superblock-version',
        offset: 8,
        message: `superblock version is ${0x1_0000_002f} at byte 8, this software knows 48`,
      },
    });
    expect(check((bytes) => bytes.set([1, 2, 3, 4, 5], 96))).toEqual({
      result: -1,
      problem: {
        code: 'superblock-crc',
        offset: 96,
        message: expect.stringMatching(
          /^superblock crc at byte 96 is 0x504030201, its bytes give 0x[0-9a-f]+$/,
        ),
      },
    });
    expect(check((bytes) => putSuperblock(bytes, 32, 0x20_1000n))).toEqual({
      result: -1,
      problem: {
        code: 'superblock-alloc-unit',
        offset: 32,
        message: 'allocation unit at byte 32 is 2101248, want 2097152 or 4096',
      },
    });
  });
});

describe('superblockFaults()', () => {
  const superblock = () => readSuperblock(formatted().media);
  const of = (change: object, mediaSize = GIB) => superblockFaults({ ...superblock(), ...change }, mediaSize);

  it('passes a log that ends with the device, and the longest one', () => {
    expect(of({})).toEqual([]);
    expect(of({ deviceSize: 10 * MIB }, 10 * MIB)).toEqual([]);
    expect(of({ logLength: 4 * GIB, deviceSize: 2 ** 33 }, 2 ** 33)).toEqual([]);
  });

  it.each([
    [
      { logOffset: 4 * MIB },
      GIB,
      'superblock-log-offset',
      16,
      'log offset at byte 16 is 4194304, want 2097152',
    ],
    [
      { logLength: 4 * MIB },
      GIB,
      'superblock-log-length',
      24,
      'log length at byte 24 is 4194304, want a power of two from 8388608 up',
    ],
    [
      { logLength: 12 * MIB },
      GIB,
      'superblock-log-length',
      24,
      'log length at byte 24 is 12582912, want a power of two from 8388608 up',
    ],
    [
      { logLength: 8 * GIB, deviceSize: 2 ** 40 },
      2 ** 40,
      'superblock-log-limit',
      24,
      'log length at byte 24 is 8589934592, udax can use logs up to 4294967296',
    ],
    [
      { deviceSize: 10 * MIB - 1 },
      GIB,
      'superblock-log-range',
      24,
      'the log ends at 10485760, the device at 10485759 (size at byte 112)',
    ],
    [
      { deviceSize: 2 * GIB },
      GIB,
      'superblock-device-size',
      112,
      'device size at byte 112 is 2147483648, but the device has 1073741824 bytes',
    ],
  ])('names each that does not fit: %o', (change, mediaSize, code, offset, message) => {
    expect(of(change, mediaSize)).toEqual([{ code, offset, message }]);
  });

  it('names a log beyond a medium that is shorter than its device', () => {
    expect(
      of({ logLength: 16 * MIB, deviceSize: GIB }, 12 * MIB).map(({ code, message }) => [code, message]),
    ).toEqual([
      ['superblock-log-range', 'the log ends at 18874368, the device at 12582912 (size at byte 112)'],
      ['superblock-device-size', 'device size at byte 112 is 1073741824, but the device has 12582912 bytes'],
    ]);
  });
});

describe('readSuperblock()', () => {
  const refusal = (change: (bytes: Uint8Array) => void, size?: number) => {
    const { bytes, media } = formatted(size);
    change(bytes);
    return error(() => readSuperblock(media));
  };

  it.each([
    [0, 1n, 'EINVAL', 'mkfs', 'if it should become one, mkfs() makes it'],
    [8, 47n, 'EOPNOTSUPP', 'mkfs-force', 'read it with the version that made it'],
    [24, 2n ** 33n, 'EFBIG', undefined, 'read it with the software that made it'],
    [24, 2n ** 53n, 'EBADMSG', 'fsck', 'the superblock is damaged: fsck() tells more'],
    [32, 1n, 'EBADMSG', 'fsck', 'the superblock is damaged: fsck() tells more'],
    [16, 0n, 'EBADMSG', 'fsck', 'the superblock is damaged: fsck() tells more'],
  ])('byte %i as %o is %s, with the next step', (at, value, code, hint, step) => {
    const refused = refusal((bytes) => putSuperblock(bytes, at, value), 2 ** 40);
    expect(refused).toMatchObject({ code, path: 'test', message: expect.stringContaining(step) });
    expect(refused.hint).toBe(hint);
  });

  it('takes a medium of exactly a superblock as too short for its log, and a shorter one as none', () => {
    const { bytes } = formatted();
    const of = (size: number) =>
      error(() => readSuperblock(bufferMedia(bytes.slice(0, size), { name: 'test' })));
    expect(of(200)).toMatchObject({ code: 'EBADMSG', message: expect.stringContaining('the log ends at') });
    expect(of(199)).toMatchObject({ code: 'EINVAL', message: expect.stringContaining('shorter than one') });
  });

  it('whose memory has failed is EIO; one that was cut is read as what is there', () => {
    const { media } = formatted();
    const lost = (kind: LostRange['kind']) => [{ offset: 64, length: 64, kind, why: 'page 0x40 has failed' }];
    expect(error(() => readSuperblock({ ...media, lost: () => lost('failed') }))).toMatchObject({
      code: 'EIO',
      hint: 'salvage',
      message: expect.stringContaining('the superblock cannot be read: page 0x40 has failed; fsck() tells'),
    });
    expect(readSuperblock({ ...media, lost: () => lost('cut') }).logLength).toBe(8 * MIB);
  });

  it('drops cached lines before it reads', () => {
    const { bytes, media } = formatted();
    const stale = bytes.slice(0, 200);
    bytes.fill(0, 0, 200);
    const dropped: number[][] = [];
    const other = {
      ...media,
      invalidate: (offset: number, length: number) => {
        dropped.push([offset, length]);
        bytes.set(stale);
      },
    };
    expect(readSuperblock(other).logLength).toBe(8 * MIB);
    expect(dropped).toEqual([[0, 200]]);
  });
});
