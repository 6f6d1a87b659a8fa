import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatMedia, fsckMedia, type Log, readSuperblock, renderFsckReport } from '../../src/famfs/index.js';
import { Tally } from '../support/tally.js';
import { golden, goldenMedia, goldenNames } from './golden.js';
import {
  DATA,
  fileEntry,
  HOST,
  type Made,
  makeVolume,
  mkdirEntry,
  OTHER_HOST,
  UNIT,
} from './volume-maker.js';

/** Changes a published entry and makes its crc good again. */
function tamper(log: Log, index: number, change: (view: DataView) => void): void {
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

describe('fsck names entry and byte of every fault in the golden images', () => {
  const entry = (index: number) => 2097152 + 48 + index * 544;
  const faults: Record<string, { code: string; entry?: number; offset?: number }[]> = {
    '10-crosslinked': [
      { code: 'extent-overlap', entry: 9, offset: entry(9) + 144 },
      { code: 'extent-overlap', entry: 10, offset: entry(10) + 144 },
    ],
    '11-bug-alloc-past-end': [{ code: 'extent-range', entry: 1, offset: entry(1) + 144 }],
    '20-bad-sb-crc': [{ code: 'superblock-crc', offset: 96 }],
    '21-bad-sb-magic': [{ code: 'superblock-magic', offset: 0 }],
    '22-bad-sb-version-49': [{ code: 'superblock-version', offset: 8 }],
    '23-bad-log-crc': [{ code: 'log-crc', offset: 2097152 + 24 }],
    '24-bad-log-magic': [{ code: 'log-magic', offset: 2097152 }],
    '25-bad-entry-crc-mid': [{ code: 'entry-crc', entry: 4, offset: entry(4) + 536 }],
    '26-bad-entry-seqnum-mid': [{ code: 'entry-seqnum', entry: 4, offset: entry(4) }],
    '27-unknown-entry-type': [
      { code: 'unknown-type', entry: 4, offset: entry(4) + 8 },
      { code: 'unknown-type', entry: 5, offset: entry(5) + 8 },
    ],
    '28-absolute-path': [{ code: 'path-absolute', entry: 4, offset: entry(4) + 40 }],
    '28b-dotdot-path': [{ code: 'path-dot', entry: 4, offset: entry(4) + 40 }],
    '29-zero-offset-extent': [
      { code: 'extent-offset', entry: 9, offset: entry(9) + 144 },
      { code: 'extent-overlap', entry: 9, offset: entry(9) + 144 },
    ],
    '30-torn-append-header-not-bumped': [],
    '32-next-index-past-end': [
      { code: 'log-index', offset: 2097152 + 40 },
      { code: 'log-seqnum', offset: 2097152 + 32 },
      { code: 'entry-seqnum', entry: 9, offset: entry(9) },
      { code: 'entry-crc', entry: 9, offset: entry(9) + 536 },
    ],
    '33-alloc-unit-4096': [],
    '35-foreign-owner': [],
    '37-loglen-mismatch': [{ code: 'log-length', offset: 2097152 + 8 }],
    '39-unaligned-extent': [{ code: 'extent-alignment', entry: 9, offset: entry(9) + 144 }],
    '40-extent-past-end': [
      { code: 'extent-range', entry: 9, offset: entry(9) + 144 },
      { code: 'extent-range', entry: 10, offset: entry(10) + 144 },
    ],
  };

  it('every image that is not good has its faults listed here', () => {
    const bad = goldenNames.filter((name) => golden(name).deliberately_bad);
    expect(bad.filter((name) => faults[name] === undefined)).toEqual([]);
  });

  for (const [name, expected] of Object.entries(faults)) {
    it(name, () => {
      const report = fsckMedia(goldenMedia(name), { systemUuid: HOST });
      expect(report.errors.map(({ message: _, ...fault }) => fault)).toEqual(expected);
      expect(report.ok).toBe(expected.length === 0);
      for (const { message, entry: index, offset } of report.errors) {
        if (index !== undefined) expect(message).toContain(`entry ${index}`);
        expect(message).toContain(`byte ${offset}`);
      }
    });
  }

  it('names the other owner of shared space', () => {
    const { errors } = fsckMedia(goldenMedia('10-crosslinked'));
    expect(errors[0]?.message).toContain("also used by log entry 1 ('d/f0')");
  });

  it('a torn append is a note', () => {
    const { notes } = fsckMedia(goldenMedia('30-torn-append-header-not-bumped'));
    expect(notes.map(({ code, entry: index }) => [code, index])).toEqual([['unpublished-entry', 8]]);
  });
});

describe('fsck finds', () => {
  const at = (log: Log, index: number, field: number) => log.entryOffset(index) + field;

  it('two entries of one path', () => {
    const made = volumeWith(fileEntry('f', 0), mkdirEntry('f'));
    expect(found(made)).toEqual([{ code: 'duplicate-path', entry: 1, offset: at(made.log, 1, 28) }]);
  });

  it('a parent that is missing, and one that is a file', () => {
    const made = volumeWith(fileEntry('no/f', 0), fileEntry('f', 1), fileEntry('f/g', 2));
    expect(found(made)).toEqual([
      { code: 'missing-parent', entry: 0, offset: at(made.log, 0, 40) },
      { code: 'parent-not-directory', entry: 2, offset: at(made.log, 2, 40) },
    ]);
  });

  it.each([
    ['an empty component', 'a//b', 'path-component'],
    ['a trailing slash', 'ab/', 'path-component'],
    ['a dot', './ab', 'path-dot'],
    ['two dots at the end', 'a/..', 'path-dot'],
    ['bytes behind the NUL', 'a\0bc', 'path-junk'],
    ['no NUL at all', 'x'.repeat(80), 'path-unterminated'],
    ['nothing', '\0', 'path-empty'],
  ])('a path with %s', (_, path, code) => {
    const made = volumeWith(mkdirEntry('abcd'));
    tamper(made.log, 0, (view) => {
      new Uint8Array(view.buffer, view.byteOffset + 28, 80).fill(0);
      new Uint8Array(view.buffer, view.byteOffset + 28, 80).set(Buffer.from(path));
    });
    expect(found(made)).toEqual([{ code, entry: 0, offset: at(made.log, 0, 28) }]);
  });

  it.each([
    ['size 0', 16, 0n, 'file-size', 16],
    ['size beyond 2^53', 16, 2n ** 60n, 'file-size', 16],
    ['more bytes than extents hold', 16, BigInt(UNIT + 1), 'file-size', 16],
    ['no extents', 128, 0n, 'extent-count', 128],
    ['17 extents', 128, 17n, 'extent-count', 128],
    ['an unknown extent type', 120, 7n, 'extent-type', 120],
    ['an extent of 0 bytes', 152, 0n, 'extent-alignment', 152],
    ['an extent of half a unit', 152, BigInt(UNIT / 2), 'extent-alignment', 152],
    ['an extent of 2^63 bytes', 152, 2n ** 63n, 'extent-range', 144],
    ['an extent at 2^64 - 2 MiB', 144, 2n ** 64n - BigInt(UNIT), 'extent-range', 144],
    ['a device nobody added', 136, 3n, 'extent-device', 136],
  ])('a file with %s', (_, field, value, code, blamed) => {
    const made = volumeWith(fileEntry('f', 0, UNIT));
    tamper(made.log, 0, (view) => view.setBigUint64(field, value, true));
    const faults = found(made).filter((fault) => fault.code !== 'extent-overlap');
    expect(faults).toEqual([{ code, entry: 0, offset: at(made.log, 0, blamed) }]);
  });

  const striped = {
    ...fileEntry('s', 0, 5 * UNIT),
    fmap: {
      type: 'interleaved' as const,
      nstrips: 2,
      chunkSize: UNIT,
      extents: [0, 3].map((unit) => ({ devindex: 0, offset: DATA + unit * UNIT, length: 3 * UNIT })),
    },
  };

  it.each([
    ['no strips', 136, 0n, 'extent-count', 136],
    ['17 strips', 136, 17n, 'extent-count', 136],
    ['two interleaved extents', 128, 2n, 'extent-count', 128],
    ['chunk size 0', 144, 0n, 'chunk-size', 144],
    ['an odd chunk size', 144, 5000n, 'chunk-size', 144],
    ['a strip that is too short', 168, BigInt(2 * UNIT), 'file-size', 168],
  ])('an interleaved file with %s', (_, field, value, code, blamed) => {
    const made = volumeWith(striped);
    expect(found(made)).toEqual([]);
    tamper(made.log, 0, (view) => view.setBigUint64(field, value, true));
    expect(found(made)).toEqual([{ code, entry: 0, offset: at(made.log, 0, blamed) }]);
  });

  it('devices added out of turn, or twice', () => {
    const add = (daxIndex: number, uuid: string) => ({
      kind: 'add_daxdev' as const,
      size: 2 ** 30,
      uuid,
      daxIndex,
    });
    const made = volumeWith(add(1, HOST), add(3, OTHER_HOST), add(2, HOST));
    expect(found(made)).toEqual([
      { code: 'daxdev', entry: 1, offset: at(made.log, 1, 40) },
      { code: 'daxdev', entry: 2, offset: at(made.log, 2, 40) },
    ]);
  });

  it('overlaps on another device, but none between devices', () => {
    const add = { kind: 'add_daxdev' as const, size: 2 ** 30, uuid: HOST, daxIndex: 1 };
    const onDevice = (path: string, devindex: number) => {
      const entry = fileEntry(path, 0);
      entry.fmap.extents[0]!.devindex = devindex;
      return entry;
    };
    const made = volumeWith(add, onDevice('a', 1), onDevice('b', 0));
    expect(found(made)).toEqual([]);
    made.appender.append(onDevice('c', 1));
    expect(found(made)).toMatchObject([{ code: 'extent-overlap', entry: 3 }]);
  });

  it('a last index that does not fit the log', () => {
    const made = makeVolume();
    const header = made.media.bytes(made.log.offset, 48);
    const view = new DataView(header.buffer, header.byteOffset, 48);
    view.setBigUint64(16, 99n, true);
    view.setBigUint64(24, BigInt(crc32(header.subarray(0, 24))), true);
    expect(found(made)).toMatchObject([{ code: 'log-last-index', offset: made.log.offset + 16 }]);
  });
});

describe('fsck of any bytes', () => {
  it('ends, and reports, whatever a published entry holds', () => {
    const edit = fc.record({ at: fc.nat(535), byte: fc.nat(255) });
    const tally = new Tally();
    const property = fc.property(fc.array(edit, { maxLength: 30 }), fc.nat(2), (edits, index) => {
      const made = volumeWith(mkdirEntry('a'), fileEntry('a/f', 0), fileEntry('g', 1));
      tamper(made.log, index, (view) => {
        for (const { at, byte } of edits) view.setUint8(at, byte);
      });
      const report = fsckMedia(made.media);
      tally.count('finds a fault', !report.ok);
      tally.count('has nothing to find', report.ok);
      expect(report.ok).toBe(report.errors.length === 0);
      expect(renderFsckReport(report)).toContain('Famfs log:');
    });
    fc.assert(property, { numRuns: 300 });
    tally.mustReach({ 'finds a fault': 0.2, 'has nothing to find': 0.02 });
  });

  it('ends, and reports, whatever superblock and log header hold', () => {
    const edit = fc.record({ at: fc.nat(247), byte: fc.nat(255) });
    const tally = new Tally();
    const property = fc.property(
      fc.array(edit, { minLength: 1, maxLength: 30 }),
      fc.boolean(),
      (edits, fixCrc) => {
        const made = volumeWith(mkdirEntry('a'));
        for (const { at, byte } of edits) {
          const offset = at < 200 ? at : made.log.offset + at - 200;
          made.media.bytes(offset, 1)[0] = byte;
        }
        if (fixCrc) {
          const bytes = made.media.bytes(0, 200);
          const view = new DataView(bytes.buffer, bytes.byteOffset);
          view.setBigUint64(96, BigInt(crc32(bytes.subarray(0, 96))), true);
        }
        const report = fsckMedia(made.media);
        tally.count('gets behind the superblock', report.log !== null);
        expect(report.ok).toBe(report.errors.length === 0);
      },
    );
    fc.assert(property, { numRuns: 300 });
    tally.mustReach({ 'gets behind the superblock': 0.02 });
  });

  it('ends for a next_index of 2^64 - 1', () => {
    const made = makeVolume();
    made.media.bytes(made.log.offset + 32, 16).fill(0xff);
    expect(found(made).map(({ code }) => code)).toContain('log-index');
  });

  it('keeps the first thousand faults and counts the rest', () => {
    const made = makeVolume();
    for (let i = 0; i < 1100; i++) made.appender.append(mkdirEntry('same'));
    const { errors } = fsckMedia(made.media);
    expect(errors.length).toBe(1001);
    expect(errors.at(-1)?.message).toBe('and 99 more like these');
  });
});
describe('numbers that only fit 64 bits', () => {
  function withNumber(at: number, crcAt: number, start: number): Made {
    const made = volumeWith(mkdirEntry('d'));
    const bytes = made.media.bytes(start, 200);
    const view = new DataView(bytes.buffer, bytes.byteOffset, 200);
    view.setBigUint64(at, 2n ** 63n, true);
    view.setBigUint64(crcAt, BigInt(crc32(bytes.subarray(0, crcAt))), true);
    return made;
  }

  it.each([16, 24, 112])('in the superblock are an error that names byte %i', (at) => {
    const made = withNumber(at, 96, 0);
    expect(found(made)).toEqual([{ code: 'superblock-number', entry: undefined, offset: at }]);
    expect(() => readSuperblock(made.media)).toThrow(
      expect.objectContaining({
        code: 'EBADMSG',
        message: expect.stringMatching(`^test: superblock\\..* byte ${at} `),
      }),
    );
  });

  it.each([8, 16])('in the log header are an error that names byte %i of it', (at) => {
    const made = withNumber(at, 24, 2 * 2 ** 20);
    expect(found(made)).toEqual([{ code: 'log-number', entry: undefined, offset: 2 * 2 ** 20 + at }]);
  });

  it('do not keep mkfs from making a new file system, with force', () => {
    const { media } = withNumber(112, 96, 0);
    expect(() => formatMedia(media, { systemUuid: HOST })).toThrow(
      expect.objectContaining({ code: 'EEXIST' }),
    );
    formatMedia(media, { systemUuid: HOST, force: true });
    expect(fsckMedia(media).ok).toBe(true);
  });

  it('a device of more units than can be counted is an error that names its size', () => {
    const made = makeVolume(2 ** 50);
    const bytes = made.media.bytes(0, 200);
    const view = new DataView(bytes.buffer, bytes.byteOffset, 200);
    view.setBigUint64(32, 4096n, true);
    view.setBigUint64(96, BigInt(crc32(bytes.subarray(0, 96))), true);
    expect(found(made)).toEqual([{ code: 'device-size', entry: undefined, offset: 112 }]);
  });
});

// What went wrong: fsck read next_index, and then next_seqnum after other processes had appended more than one entry. It reported
// an error in an intact log (found by npm run soak). Right: it reads both at one moment.
describe('fsck while others append', () => {
  it('finds nothing wrong: the two numbers are looked at together', () => {
    const { media, appender } = volumeWith(mkdirEntry('first'));
    let left = 40;
    let isInside = false;
    const busy = {
      ...media,
      // Called before each look at a number: the other process appends three entries in between, as long as it has some.
      assertThere() {
        if (left === 0 || isInside) return;
        isInside = true;
        for (let i = 0; i < 3 && left > 0; i++) appender.append(mkdirEntry(`d${left--}`));
        isInside = false;
      },
    };
    expect(fsckMedia(busy).errors).toEqual([]);
    expect(left).toBe(0);
  });
});
