import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { fsckMedia, type Log, renderFsckReport } from '../../src/famfs/index.js';
import { golden, goldenMedia, goldenNames } from './golden.js';
import { fileEntry, HOST, type Made, makeVolume, mkdirEntry, UNIT } from './volume-maker.js';

/** Changes a published entry and makes its crc good again. */
function _tamper(log: Log, index: number, change: (view: DataView) => void): void {
  const start = log.entryOffset(index);
  const bytes = log.media.bytes(start, 544);
  const view = new DataView(bytes.buffer, bytes.byteOffset, 544);
  change(view);
  view.setBigUint64(536, BigInt(crc32(bytes.subarray(0, 536))), true);
}

function volumeWith(...entries: Parameters<Made['appender']['append']>[0][]): Made {
  const made = makeVolume();
  for (const entry of entries) made.appender.append(entry);
  return made;
}

const found = ({ media }: Made) => {
  const { errors } = fsckMedia(media);
  return errors.map(({ code, entry, offset }) => ({ code, entry, offset }));
};

describe("the report as text is C's", () => {
  const comparable = goldenNames.filter((name) => {
    const { exit_code, stdout } = golden(name).c_tools.fsck!;
    // The reports differ on purpose where C counts extents past its own bitmap, and where it believes a header that contradicts
    // the superblock. Without a superblock C prints nothing.
    return exit_code < 100 && stdout !== '' && !/^(11|32|37|40)-/.test(name);
  });

  it.each(comparable)('%s', (name) => {
    const { errors: _, notes: __, ...report } = fsckMedia(goldenMedia(name), { systemUuid: HOST });
    const { fsck, fsck_human } = golden(name).c_tools;
    const plain = { ...report, errors: [], notes: [] };
    expect(renderFsckReport(plain)).toBe(fsck!.stdout);
    expect(renderFsckReport(plain, { human: true })).toBe(fsck_human!.stdout);
  });

  it('has a table of buckets with figures that add up', () => {
    const { capacity, buckets } = fsckMedia(goldenMedia('05-interleaved'), { buckets: 8 });
    const sum = (pick: (bucket: { inUse: number; free: number }) => number) =>
      buckets!.buckets.reduce((total, bucket) => total + pick(bucket), 0);
    expect(sum(({ inUse }) => inUse)).toBe(capacity!.allocated);
    expect(sum(({ free }) => free)).toBe(capacity!.free);
    for (const bucket of buckets!.buckets) expect(bucket.inUse + bucket.free).toBe(bucket.size);
  });

  it('gives size, fragments, largest and smallest of each bucket', () => {
    const made = volumeWith(fileEntry('f', 1), fileEntry('g', 4));
    const { buckets } = fsckMedia(made.media, { buckets: 3 });
    expect(buckets!.overhang).toBe(2 * UNIT);
    expect(buckets!.buckets[0]).toEqual({
      size: 170 * UNIT,
      inUse: 7 * UNIT,
      free: 163 * UNIT,
      freeFragments: 3,
      largestFragment: 160 * UNIT,
      smallestFragment: UNIT,
    });
  });

  it.each([0, 65, 1.5])('refuses %s buckets', (buckets) => {
    const { media } = makeVolume();
    expect(() => fsckMedia(media, { buckets })).toThrowError(expect.objectContaining({ code: 'EINVAL' }));
  });

  it('ends with the errors and notes', () => {
    const text = renderFsckReport(fsckMedia(goldenMedia('25-bad-entry-crc-mid')));
    expect(text).toMatch(/\n\nERROR entry-crc: log entry 4: crc at byte 2099912 .*\n$/);
  });
});

describe('fsck compares the version of the media format, which C does not', () => {
  function withVersion(major: number, minor: number): Made {
    const made = volumeWith(mkdirEntry('d'));
    const bytes = made.media.bytes(0, 200);
    const view = new DataView(bytes.buffer, bytes.byteOffset, 200);
    view.setUint32(40, major, true);
    view.setUint32(44, minor, true);
    view.setBigUint64(96, BigInt(crc32(bytes.subarray(0, 96))), true);
    return made;
  }

  it('another major is an error, a later minor a note, an earlier one nothing', () => {
    expect(found(withVersion(3, 0))).toEqual([{ code: 'superblock-omf', entry: undefined, offset: 40 }]);
    const later = fsckMedia(withVersion(2, 9).media);
    expect(later.ok).toBe(true);
    expect(later.notes).toEqual([expect.objectContaining({ code: 'superblock-omf', offset: 44 })]);
    expect(fsckMedia(withVersion(2, 1).media).notes).toEqual([]);
  });
});
