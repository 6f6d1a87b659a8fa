// Each check of log header and entries by its value: which code, which byte, and what it takes to pass. (Golden images
// have whole damaged media; here each field is damaged alone.)
import { describe, expect, it } from 'vitest';
import { bufferMedia, Log, LogAppender, type Media, readSuperblock } from '../../src/famfs/index.js';
import { checkLogHeader, logHeaderFaults } from '../../src/famfs/media/log.js';
import { ENTRY, error, formatted, LOG, putHeader, slotAt } from './damaged.js';
import { fileEntry, GIB, MIB, makeVolume, mkdirEntry } from './volume-maker.js';

describe('the log header', () => {
  const header = (change: (bytes: Uint8Array) => void) => {
    const { bytes } = formatted();
    change(bytes);
    return bytes.slice(LOG, LOG + 48);
  };

  it('is checked by magic and crc, which name their bytes', () => {
    expect(
      checkLogHeader(
        header(() => {}),
        LOG,
      ),
    ).toBe(null);
    expect(
      checkLogHeader(
        header((bytes) => putHeader(bytes, 0, 0x1234n)),
        LOG,
      ),
    ).toEqual({
      code: 'log-magic',
      offset: LOG,
      message: `log magic at byte ${LOG} is 0x1234`,
    });
    expect(
      checkLogHeader(
        header((bytes) => bytes.set([9, 0, 0, 0, 1], LOG + 24)),
        LOG,
      ),
    ).toEqual({
      code: 'log-crc',
      offset: LOG + 24,
      message: expect.stringMatching(
        /^log header crc at byte 2097176 is 0x100000009, its bytes give 0x[0-9a-f]+$/,
      ),
    });
  });

  it('must say what the superblock says', () => {
    const superblock = readSuperblock(formatted().media);
    const good = { magic: 0, length: 8 * MIB, lastIndex: 15419, crc: 0, nextSeqnum: 0, nextIndex: 0 };
    expect(logHeaderFaults(good, superblock)).toEqual([]);
    expect(logHeaderFaults({ ...good, length: MIB, lastIndex: 15420 }, superblock)).toEqual([
      {
        code: 'log-length',
        offset: LOG + 8,
        message: `log length at byte ${LOG + 8} is ${MIB}, the superblock says ${8 * MIB}`,
      },
      {
        code: 'log-last-index',
        offset: LOG + 16,
        message: `last index at byte ${LOG + 16} is 15420, a log of ${8 * MIB} bytes ends at 15419`,
      },
    ]);
  });

  it.each([
    ['magic', 0, 1n],
    ['length', 8, BigInt(MIB)],
    ['last index', 16, 3n],
    ['a number beyond 2^53', 16, 2n ** 53n],
  ])('with a bad %s is EBADMSG at open; fsck opens it all the same', (_what, at, value) => {
    const { bytes, media } = formatted();
    putHeader(bytes, at, value);
    const superblock = readSuperblock(media);
    expect(error(() => Log.open(media, superblock))).toMatchObject({
      code: 'EBADMSG',
      path: 'test',
      hint: 'fsck',
    });
    expect(Log.at(media, superblock).slots).toBe(15420);
  });

  it('is given out as a copy', () => {
    const { log } = makeVolume();
    log.headerBytes().fill(0);
    expect(log.header()).toMatchObject({ length: 8 * MIB, lastIndex: 15419, nextIndex: 0 });
  });

  it('at an address that atomics cannot use is EINVAL', () => {
    const { bytes, media } = formatted();
    const shifted = new Uint8Array(bytes.length + 4).subarray(4);
    shifted.set(bytes);
    const other = bufferMedia(shifted, { name: 'test', size: GIB });
    expect(error(() => Log.at(other, readSuperblock(media)))).toMatchObject({ code: 'EINVAL' });
  });
});

/** A volume of three entries: a file, a directory, a file; with its bytes in hand. */
function withEntries(extra: Partial<Media> = {}) {
  const { bytes, media: plain } = formatted();
  const media = { ...plain, ...extra };
  const superblock = readSuperblock(plain);
  const log = Log.open(media, superblock);
  const appender = new LogAppender(log);
  for (const entry of [fileEntry('a', 0), mkdirEntry('d'), fileEntry('d/b', 1)]) appender.append(entry);
  return { bytes, media, superblock, log, appender };
}

describe('log entries', () => {
  it('are checked by seqnum and crc, which name entry and byte', () => {
    const { bytes, log } = withEntries();
    expect(log.checkEntry(1)).toEqual([]);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(slotAt(1), 0x1_0000_0007n, true);
    view.setBigUint64(slotAt(2) + 536, 0x2_0000_0005n, true);
    expect(log.checkEntry(1)).toEqual([
      {
        ...{ code: 'entry-seqnum', entry: 1, offset: slotAt(1) },
        message: `log entry 1: seqnum at byte ${slotAt(1)} is 4294967303, want 1`,
      },
      {
        ...{ code: 'entry-crc', entry: 1, offset: slotAt(1) + 536 },
        message: expect.stringMatching(
          /^log entry 1: crc at byte \d+ is 0x[0-9a-f]+, its bytes give 0x[0-9a-f]+$/,
        ),
      },
    ]);
    expect(log.checkEntry(2).map(({ message }) => message)).toEqual([
      expect.stringMatching(`^log entry 2: crc at byte ${slotAt(2) + 536} is 0x200000005, its bytes give 0x`),
    ]);
    expect(error(() => log.entryBytes(1))).toMatchObject({
      code: 'EBADMSG',
      message: expect.stringContaining('test: log entry 1: seqnum'),
    });
    expect(error(() => log.entry(2))).toMatchObject({ code: 'EBADMSG' });
    expect(log.decodeUnchecked(2)).toMatchObject({ kind: 'file', path: 'd/b', index: 2, seqnum: 2 });
  });

  it('that look bad are read again, past the cache', () => {
    const dropped: number[][] = [];
    let repair = () => {};
    const made = withEntries({
      invalidate: (offset, length) => {
        if (offset < slotAt(0)) return;
        dropped.push([offset, length]);
        repair();
      },
    });
    const good = made.bytes.slice(slotAt(1), slotAt(2));
    made.bytes.fill(0, slotAt(1), slotAt(2));
    repair = () => made.bytes.set(good, slotAt(1));
    expect(made.log.checkEntry(1)).toEqual([]);
    expect(made.log.checkEntry(0)).toEqual([]);
    expect(dropped).toEqual([[slotAt(1), ENTRY]]);
  });

  it('outside the log are ERANGE', () => {
    const { log } = withEntries();
    for (const index of [-1, 15420, Number.NaN])
      expect(error(() => log.copyEntry(index))).toMatchObject({
        code: 'ERANGE',
        message: `log entry ${index}: the log has 15420 slots`,
      });
    expect(log.copyEntry(15419)).toEqual(new Uint8Array(ENTRY));
    expect(log.copyEntry(0)[8 + 16 + 24]).toBe(0);
  });

  it('are copied many at a time, from where they lie', () => {
    const { bytes, log } = withEntries();
    const into = new Uint8Array(2 * ENTRY);
    log.copySlots(1, 2, into);
    expect(Buffer.from(into).equals(bytes.subarray(slotAt(1), slotAt(3)))).toBe(true);
  });
});

describe('a log some of whose memory is lost', () => {
  const why = 'page 0x40 has failed';
  /** Loses bytes of the device; plain reads of them fail, as on a device. */
  function losing(from: number, to: number, { pastLosses = true } = {}) {
    const made = withEntries();
    const media: Media = {
      ...made.media,
      lost: (offset, length) =>
        offset < to && from < offset + length
          ? [{ offset: from, length: to - from, kind: 'failed', why }]
          : [],
      assertThere: (offset, length) => {
        if (offset < to && from < offset + length) throw Object.assign(new Error(why), { code: 'EIO' });
      },
    };
    return { ...made, log: Log.at(media, made.superblock, { pastLosses }) };
  }

  it('is EIO where it is lost, for those who do not read past losses', () => {
    const { log } = losing(slotAt(1), slotAt(1) + 64, { pastLosses: false });
    expect(log.readableEnd()).toBe(3);
    expect(error(() => log.checkEntry(1))).toMatchObject({ code: 'EIO' });
    expect(log.checkEntry(2)).toEqual([]);
  });

  it('is told entry by entry to those who do', () => {
    const { log } = losing(slotAt(1), slotAt(1) + 64);
    expect(log.lossAt(48 + ENTRY, 1)).toMatchObject({ why });
    expect(log.lossAt(48, ENTRY)).toBe(null);
    expect(log.checkEntry(1)).toEqual([
      {
        ...{ code: 'entry-memory', entry: 1, offset: slotAt(1) },
        message: `log entry 1 at byte ${slotAt(1)} cannot be read: ${why}`,
      },
    ]);
    expect([log.checkEntry(0), log.checkEntry(2)]).toEqual([[], []]);
    expect(log.readableEnd()).toBe(3);
  });

  it('has zeroes where it is lost, and the others as they are', () => {
    const { bytes, log } = losing(slotAt(1), slotAt(1) + 64);
    const into = new Uint8Array(4 * ENTRY).fill(0xcc);
    log.copySlots(0, 4, into);
    const expected = bytes.slice(slotAt(0), slotAt(4));
    expected.fill(0, ENTRY, 2 * ENTRY);
    expect(Buffer.from(into).equals(expected)).toBe(true);
  });

  it('with its header ends behind the last slot that is good or lost', () => {
    const header = losing(LOG, LOG + 48);
    expect(header.log.readableEnd()).toBe(3);
    const both = losing(LOG, slotAt(1));
    expect(both.log.readableEnd()).toBe(3);
    const all = losing(LOG, slotAt(7));
    expect(all.log.readableEnd()).toBe(7);
  });

  it('is ENODEV when all of it is gone', () => {
    const { log } = withEntries();
    Object.defineProperty(log, 'bytes', { value: new Uint8Array(0) });
    expect(error(() => log.nextIndex())).toMatchObject({
      code: 'ENODEV',
      message: 'test: the device is gone, its log is unmapped',
    });
    expect(error(() => log.assertThere())).toMatchObject({ code: 'ENODEV' });
  });
});

describe('appending', () => {
  it('flushes the entry, then the header, each with a fence', () => {
    const calls: (string | number[])[] = [];
    const { appender } = withEntries({
      flush: (offset, length) => void calls.push([offset, length]),
      fence: () => void calls.push('fence'),
    });
    calls.length = 0;
    expect(appender.append(mkdirEntry('e'))).toBe(3);
    expect(calls).toEqual([[slotAt(3), ENTRY], 'fence', [LOG, 48], 'fence']);
  });

  it('publishes an entry that is written back already', () => {
    const seen: bigint[][] = [];
    let bytes: Uint8Array | undefined;
    const made = withEntries({ flush: () => void seen.push(indicesOf(bytes)) });
    bytes = made.bytes;
    made.appender.append(mkdirEntry('e'));
    expect(seen.slice(-2)).toEqual([
      [3n, 3n],
      [4n, 4n],
    ]);
  });

  it('counts what is left, and refuses what does not fit before a byte is written', () => {
    const { appender, bytes } = withEntries();
    expect(appender.free).toBe(15417);
    appender.assertRoom();
    appender.assertRoom(15417);
    expect(error(() => appender.assertRoom(15418))).toMatchObject({
      ...{ code: 'ENOSPC', path: 'test', hint: 'mkfs-longer-log' },
      message: expect.stringContaining('log full, 3 of 15420 entries are used and 15418 more are needed'),
    });
    const view = new DataView(bytes.buffer);
    for (const at of [32, 40]) view.setBigUint64(LOG + at, 15419n, true);
    expect(appender.free).toBe(1);
    expect(appender.append(mkdirEntry('last'))).toBe(15419);
    expect(appender.free).toBe(0);
    expect(error(() => appender.append(mkdirEntry('more')))).toMatchObject({ code: 'ENOSPC' });
    view.setBigUint64(LOG + 40, 15425n, true);
    expect(appender.free).toBe(0);
  });

  it('repairs a seqnum that is one ahead, and nothing else', () => {
    const flushed: number[][] = [];
    const { appender, bytes } = withEntries({
      flush: (offset, length) => void flushed.push([offset, length]),
    });
    flushed.length = 0;
    expect(appender.repair()).toBe(false);
    expect(flushed).toEqual([]);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(LOG + 32, 4n, true);
    expect(appender.repair()).toBe(true);
    expect(flushed).toEqual([[LOG, 48]]);
    expect(indicesOf(bytes)).toEqual([3n, 3n]);
    for (const seqnum of [2n, 5n]) {
      view.setBigUint64(LOG + 32, seqnum, true);
      expect(error(() => appender.repair())).toMatchObject({
        ...{ code: 'EBADMSG', path: 'test', hint: 'fsck' },
        message: expect.stringContaining(
          `next_seqnum ${seqnum} at byte ${LOG + 32}, next_index 3 at byte ${LOG + 40}`,
        ),
      });
      expect(error(() => appender.append(mkdirEntry('e')))).toMatchObject({ code: 'EBADMSG' });
    }
    expect(indicesOf(bytes)).toEqual([5n, 3n]);
  });
});

function indicesOf(bytes: Uint8Array | undefined): bigint[] {
  if (bytes === undefined) return [];
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return [view.getBigUint64(LOG + 32, true), view.getBigUint64(LOG + 40, true)];
}
