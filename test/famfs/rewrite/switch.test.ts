/**
 * The switch from one log to another, on the media: the record, every state that a run may be cut short in, and media that
 * somebody made up. `npm run crash` explores the same with caches and power cuts.
 */
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bufferMedia,
  formatMedia,
  fsckMedia,
  Log,
  LogAppender,
  logSlots,
  type Media,
  mediaState,
  readSuperblock,
  takeOver,
} from '../../../src/famfs/index.js';
import { encodeEntry } from '../../../src/famfs/media/entry.js';
import {
  packedEntries,
  packLog,
  RECORD_OFFSET,
  readRecord,
  rewriteRecordLayout,
  SCRATCH_OFFSET,
  scratchRangeLayout,
} from '../../../src/famfs/media/rewrite-record.js';
import {
  asRewritten,
  renamedSuperblock,
  settleRewrite,
  switchLog,
} from '../../../src/famfs/media/rewrite-switch.js';
import { codeOf } from '../../machine/support.js';
import { fileEntry, HOST, mkdirEntry, OTHER_HOST } from '../volume-maker.js';

const MIB = 2 ** 20;
const SIZE = 64 * MIB;
const UUID = 'dddddddd-0000-4000-8000-000000000004';
const METADATA = 10 * MIB;

const paths = (count: number) => Array.from({ length: count }, (_, i) => `file-${i}`);

/** A medium with files. `dies` is called at each fence. */
function made(count: number, dies: () => void = () => {}): { media: Media; bytes: Uint8Array } {
  const bytes = new Uint8Array(METADATA);
  const media = bufferMedia(bytes, { name: 'pool', size: SIZE });
  formatMedia(media, { systemUuid: HOST });
  const appender = new LogAppender(Log.open(media, readSuperblock(media)));
  appender.append(mkdirEntry('d'));
  for (const [i, path] of paths(count).entries()) appender.append(fileEntry(path, i));
  return { media: { ...media, bytes: media.bytes.bind(media), fence: dies }, bytes };
}

/** The entries of a log with the directory and the given files. */
function entriesOf(kept: readonly string[]): Uint8Array {
  const all = [mkdirEntry('d'), ...kept.map((path) => fileEntry(path, paths(1000).indexOf(path)))];
  const bytes = new Uint8Array(all.length * 544);
  for (const [i, entry] of all.entries()) {
    const slot = bytes.subarray(i * 544, (i + 1) * 544);
    encodeEntry(slot, new DataView(slot.buffer, slot.byteOffset, 544), entry, i);
  }
  return bytes;
}

function switchTo(
  media: Media,
  kept: readonly string[],
  oldEntries: number,
  freeSpace: { offset: number; length: number }[] = [],
): void {
  switchLog(media, {
    superblockBytes: renamedSuperblock(media, UUID),
    entries: entriesOf(kept),
    oldEntries,
    freeSpace,
  });
}

/** What C's mkfs and the same creations would leave, under the new uuid. */
function asMade(kept: readonly string[], old: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(METADATA);
  const media = bufferMedia(bytes, { name: 'pool', size: SIZE });
  const device = readSuperblock(bufferMedia(old, { size: SIZE })).deviceUuid;
  formatMedia(media, { systemUuid: HOST, uuids: { fileSystem: UUID, device } });
  const appender = new LogAppender(Log.open(media, readSuperblock(media)));
  appender.append(mkdirEntry('d'));
  for (const path of kept) appender.append(fileEntry(path, paths(1000).indexOf(path)));
  return bytes;
}

describe('the record of a rewrite', () => {
  it('has its fields where docs/famfs-format.md says', () => {
    expect([RECORD_OFFSET, SCRATCH_OFFSET]).toEqual([2048, 131072]);
    const { size, fields } = rewriteRecordLayout;
    expect(size).toBe(512);
    expect(
      Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, [field.offset, field.size]])),
    ).toEqual({
      magic: [0, 8],
      version: [8, 4],
      ranges: [12, 4],
      entries: [16, 8],
      oldEntries: [24, 8],
      packedBytes: [32, 8],
      packedCrc: [40, 8],
      superblock: [48, 200],
      scratch: [248, 256],
      crc: [504, 8],
    });
    expect(scratchRangeLayout).toMatchObject({
      size: 16,
      fields: { offset: { offset: 0 }, length: { offset: 8 } },
    });
  });

  it('packs a full log of 15,420 entries into the superblock area', () => {
    const entries = entriesOf(paths(999));
    expect(packLog(entries).length).toBeLessThan(entries.length / 10);
    expect(packLog(entries).length * (logSlots(8 * MIB) / 1000)).toBeLessThan(2 * MIB - SCRATCH_OFFSET);
  });
});

describe('a new log', () => {
  it('leaves the superblock and log that mkfs and the same creations leave, byte for byte', () => {
    const { media, bytes } = made(9);
    const kept = ['file-1', 'file-4', 'file-8'];
    const wanted = asMade(kept, bytes);
    switchTo(media, kept, 10);
    expect(Buffer.compare(bytes, wanted)).toBe(0);
    expect(fsckMedia(media)).toMatchObject({ ok: true, notes: [], files: 3, directories: 1 });
  });

  it('that fits neither the superblock area nor the log is packed into free space', () => {
    const { media } = made(3);
    const incompressible = crypto.getRandomValues(new Uint8Array(65_536));
    const entries = entriesOf(paths(999));
    // Names of noise, so that the packed log stays big.
    for (let i = 1; i < 1000; i++) entries.set(incompressible.subarray(i * 60, i * 60 + 60), i * 544 + 44);
    expect(packLog(entries).length).toBeGreaterThan(60_000);
    const small = { ...media, size: SIZE };
    const free = [{ offset: 20 * MIB, length: 2 * MIB }];
    const seen: number[] = [];
    const watching: Media = { ...small, flush: (offset) => void seen.push(offset) };
    switchTo(watching, ['file-1'], logSlots(8 * MIB), free);
    expect(seen[0]).toBe(SCRATCH_OFFSET);
  });

  it('is refused with ENOSPC before anything is stored when no space holds it', () => {
    const bytes = new Uint8Array(METADATA);
    const media = bufferMedia(bytes, { name: 'pool', size: SIZE });
    formatMedia(media, { systemUuid: HOST });
    const before = bytes.slice();
    const entries = new Uint8Array(logSlots(8 * MIB) * 544);
    for (let at = 0; at < entries.length; at += 65_536)
      crypto.getRandomValues(entries.subarray(at, Math.min(at + 65_536, entries.length)));
    const next = { superblockBytes: renamedSuperblock(media, UUID), entries, oldEntries: 0, freeSpace: [] };
    expect(codeOf(() => switchLog(media, next))).toBe('ENOSPC');
    expect(Buffer.compare(bytes, before)).toBe(0);
  });
});

/** Runs a switch that dies at its n-th fence, for every n, and gives what is left. */
function* cutShort(): Generator<{ bytes: Uint8Array; at: number; before: Uint8Array }> {
  for (let at = 1; ; at++) {
    let fences = 0;
    let isRunning = false;
    const { media, bytes } = made(9, () => {
      if (isRunning && ++fences === at) throw new Error('died');
    });
    const before = bytes.slice();
    isRunning = true;
    try {
      switchTo(media, ['file-2', 'file-3'], 10);
      return;
    } catch (error) {
      if ((error as Error).message !== 'died') throw error;
    }
    yield { bytes, at, before };
  }
}

const onBytes = (bytes: Uint8Array) => bufferMedia(bytes, { name: 'pool', size: SIZE });

describe('a rewrite that is cut short', () => {
  it('is the old log or the new one to every reader, and the next writer finds the same', () => {
    const states = new Set<string>();
    for (const { bytes, at } of cutShort()) {
      const seen = asRewritten(onBytes(bytes));
      const { uuid } = readSuperblock(seen);
      const files = uuid === UUID ? 2 : 9;
      const report = fsckMedia(onBytes(bytes));
      expect([at, report.ok, report.files, report.errors]).toEqual([at, true, files, []]);
      expect(Log.open(seen, readSuperblock(seen)).nextIndex()).toBe(files + 1);
      states.add(`${files} ${settleRewrite(onBytes(bytes))}`);
      expect(settleRewrite(onBytes(bytes))).toBe('nothing');
      expect(readSuperblock(onBytes(bytes)).uuid).toBe(uuid);
      expect(fsckMedia(onBytes(bytes))).toMatchObject({ ok: true, notes: [], files });
    }
    // A record that cannot be stored is taken back at once.
    expect([...states].sort()).toEqual(['2 completed', '2 nothing', '2 removed', '9 nothing']);
  });

  it('is completed byte for byte', () => {
    let completed = 0;
    for (const { bytes, before } of cutShort()) {
      if (settleRewrite(onBytes(bytes)) !== 'completed') continue;
      completed++;
      expect(Buffer.compare(bytes, asMade(['file-2', 'file-3'], before))).toBe(0);
    }
    expect(completed).toBeGreaterThan(1);
  });

  /** A medium between its logs. */
  function between(): Uint8Array {
    for (const { bytes } of cutShort()) if (mediaState(onBytes(bytes)) === 'unfinished') return bytes;
    throw new Error('no such state');
  }

  it('is no famfs to C, and mkfs asks before it overwrites it', () => {
    const bytes = between();
    expect([...bytes.subarray(0, 4)]).not.toEqual([0xff, 0x82, 0xb2, 0x87]);
    const before = bytes.slice();
    expect(codeOf(() => formatMedia(onBytes(bytes), { systemUuid: HOST }))).toBe('EEXIST');
    expect(codeOf(() => formatMedia(onBytes(bytes), { systemUuid: OTHER_HOST }))).toBe('EPERM');
    expect(Buffer.compare(bytes, before)).toBe(0);
    formatMedia(onBytes(bytes), { systemUuid: HOST, force: true });
    expect(fsckMedia(onBytes(bytes))).toMatchObject({ ok: true, notes: [], files: 0 });
    expect(readRecord(onBytes(bytes))).toBeNull();
  });

  it('is completed by a host that takes the file system over, with the consent that a take-over needs', () => {
    const bytes = between();
    expect(codeOf(() => takeOver(onBytes(bytes), { systemUuid: OTHER_HOST }))).toBe('EPERM');
    expect(mediaState(onBytes(bytes))).toBe('unfinished');
    takeOver(onBytes(bytes), { systemUuid: OTHER_HOST, from: HOST });
    expect(readSuperblock(onBytes(bytes))).toMatchObject({ uuid: UUID, systemUuid: OTHER_HOST });
    expect(fsckMedia(onBytes(bytes))).toMatchObject({ ok: true, notes: [], files: 2 });
  });

  it('never touches what was appended since, where its record means nothing any more', () => {
    const { media, bytes } = made(9);
    for (const { bytes: cut, at } of cutShort()) if (at === 2) bytes.set(cut);
    // C famfs knows nothing of a record: it appends.
    const record = readRecord(onBytes(bytes));
    const appender = new LogAppender(Log.open(media, readSuperblock(media)));
    for (let i = 20; i < 40; i++) appender.append(fileEntry(`c-${i}`, i - 20));
    settleRewrite(onBytes(bytes));
    expect(fsckMedia(onBytes(bytes)).files).toBe(29);
    expect(record === null || readRecord(onBytes(bytes)) === null).toBe(true);
  });

  it('with a damaged new log is EBADMSG for the master, damage for fsck, and no file system for readers', () => {
    const bytes = between();
    bytes[SCRATCH_OFFSET + 20]! ^= 1;
    expect(codeOf(() => settleRewrite(onBytes(bytes)))).toBe('EBADMSG');
    expect(codeOf(() => readSuperblock(asRewritten(onBytes(bytes))))).toBe('EBADMSG');
    expect(fsckMedia(onBytes(bytes)).errors.map(({ code }) => code)).toEqual(['superblock-rewrite']);
    expect(mediaState(onBytes(bytes))).toBe('damaged');
  });

  it('whatever stands in its record, with a right crc, nothing is read or stored outside its places', () => {
    const good = between();
    const { fields } = rewriteRecordLayout;
    let refused = 0;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 62 }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })), {
          minLength: 1,
          maxLength: 4,
        }),
        (changes) => {
          const bytes = good.slice();
          const view = new DataView(bytes.buffer, RECORD_OFFSET, rewriteRecordLayout.size);
          for (const [word, value] of changes) view.setBigUint64(word * 8, value, true);
          view.setBigUint64(
            fields.crc.offset,
            BigInt(crc32(bytes.subarray(RECORD_OFFSET, RECORD_OFFSET + fields.crc.offset))),
            true,
          );
          const before = bytes.slice();
          const media = onBytes(bytes);
          fsckMedia(media);
          const record = readRecord(media);
          const isGood = record !== null && packedEntries(media, record) !== null;
          const code = codeOf(() => settleRewrite(media));
          if (isGood) return;
          refused++;
          expect(code).toBe('EBADMSG');
          expect(Buffer.compare(bytes, before)).toBe(0);
        },
      ),
      { numRuns: 100, seed: 7 },
    );
    expect(refused).toBeGreaterThan(40);
  });
});
