import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bufferMedia,
  formatMedia,
  fsckMedia,
  Log,
  LogAppender,
  type Media,
  mediaState,
  type NewLogEntry,
  readSuperblock,
  slotOffset,
} from '../../src/famfs/index.js';
import { CrashMedia } from './crash-media.js';

const MIB = 2 ** 20;
const UNIT = 2 * MIB;
const DEVICE = 64 * MIB;
const LOG = 8 * MIB;
const HOST = '11111111-2222-4333-8444-555555555555';
/** Only this much of the log is used here: images stay small, the rest of the device reads as zero. */
const IMAGE = 2 * MIB + slotOffset(40);

/** The first bytes of a fresh volume; the log behind them is zero. */
function freshImage(): Uint8Array {
  const whole = new Uint8Array(2 * MIB + LOG);
  formatMedia(bufferMedia(whole, { size: DEVICE }), { systemUuid: HOST });
  return whole.slice(0, IMAGE);
}
const fresh = freshImage();

function mkdir(i: number): NewLogEntry {
  return { kind: 'mkdir', path: `d${i}`, uid: 0, gid: 0, mode: 0o755 };
}

function file(i: number, size: number): NewLogEntry {
  const extents = [{ devindex: 0, offset: 10 * MIB + i * UNIT, length: UNIT }];
  return {
    kind: 'file',
    path: `f${i}`,
    size,
    uid: 1,
    gid: 2,
    mode: 0o644,
    fmap: { type: 'simple', extents },
  };
}

const entries = fc
  .array(fc.record({ isFile: fc.boolean(), size: fc.integer({ min: 1, max: UNIT }) }), {
    minLength: 1,
    maxLength: 4,
  })
  .map((list) => list.map(({ isFile, size }, i) => (isFile ? file(i, size) : mkdir(i))));

/** The log view of a short image: its used part, zero behind it. */
function shortLogMedia(contents: Uint8Array): Uint8Array {
  const whole = new Uint8Array(2 * MIB + LOG);
  whole.set(contents);
  return whole;
}

function appendAll(media: Media, list: NewLogEntry[]): number[] {
  const appender = new LogAppender(Log.open(media, readSuperblock(media)));
  return list.map((entry) => appender.append(entry));
}

function randomFrom(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
}

/** Clean, and the entries are the first n of the list for some n; the next writer goes on as if nothing happened. */
function expectWholeOrAbsent(media: Media, list: NewLogEntry[]): number {
  const report = fsckMedia(media);
  expect(report.errors).toEqual([]);
  const log = Log.open(media, readSuperblock(media));
  const published = log.nextIndex();
  expect(published).toBeLessThanOrEqual(list.length);
  for (let i = 0; i < published; i++) expect(log.entry(i)).toMatchObject({ ...list[i] });
  return published;
}

function expectNextWriterGoesOn(media: Media, list: NewLogEntry[], published: number): void {
  const contents = shortLogMedia(media.bytes(0, IMAGE));
  const next = bufferMedia(contents, { size: DEVICE });
  appendAll(next, list.slice(published));
  const report = fsckMedia(next);
  expect([report.errors, report.notes]).toEqual([[], []]);
  expect(report.files + report.directories).toBe(list.length);
}

/** How many words of a store of `words` landed: few, half, all but one. */
const tornSomewhere = (words: number) => [1, Math.floor(words / 2), words - 1];

describe('a crash in the middle of an append', () => {
  it('leaves the entry whole or absent, fsck clean and the log usable (kill at every word)', () => {
    const property = fc.property(entries, (list) => {
      const media = new CrashMedia(shortLogMedia(fresh), DEVICE);
      appendAll(media, list);
      const counts: number[] = [];
      media.eachKill(tornSomewhere, (crashed) => {
        const published = expectWholeOrAbsent(crashed, list);
        expectNextWriterGoesOn(crashed, list, published);
        counts.push(published);
      });
      // Nothing published is ever lost again.
      expect(counts).toEqual([...counts].sort((a, b) => a - b));
      expect(counts.at(-1)).toBe(list.length);
    });
    fc.assert(property, { numRuns: 3 });
  });

  it('leaves the entry whole or absent when lines reach the memory in any order (power cut)', () => {
    const property = fc.property(entries, fc.integer(), (list, seed) => {
      const media = new CrashMedia(shortLogMedia(fresh), DEVICE);
      appendAll(media, list);
      media.eachPowerCut(randomFrom(seed), (crashed) => {
        const published = expectWholeOrAbsent(crashed, list);
        expectNextWriterGoesOn(crashed, list, published);
      });
    });
    fc.assert(property, { numRuns: 8 });
  });

  it('between the two index stores is a note in fsck, and repaired by the next writer', () => {
    const media = new CrashMedia(shortLogMedia(fresh), DEVICE);
    appendAll(media, [mkdir(0)]);
    const notes: string[][] = [];
    media.eachKill(
      () => [],
      (crashed) => {
        const report = fsckMedia(crashed);
        notes.push(report.notes.map(({ code }) => code));
        const log = Log.open(crashed, readSuperblock(crashed));
        expect(new LogAppender(log).repair()).toBe(report.notes.some(({ code }) => code === 'torn-append'));
        expect(log.nextSeqnum()).toBe(log.nextIndex());
      },
    );
    // Before, entry stored, next_seqnum stored, next_index stored.
    expect(notes).toEqual([[], ['unpublished-entry'], ['torn-append'], []]);
  });

  it('flushes only the lines it touched, in the order entry, fence, indices, fence', () => {
    const media = new CrashMedia(shortLogMedia(fresh), DEVICE);
    appendAll(media, [mkdir(0)]);
    const order = media.events.map((event) => {
      if (event === 'fence') return event;
      return 'store' in event
        ? `store ${event.store.offset} ${event.store.bytes.length}`
        : `flush ${event.flush.offset} ${event.flush.length}`;
    });
    const log = 2 * MIB;
    expect(order).toEqual([
      `store ${log + 48} 544`,
      `flush ${log + 48} 544`,
      'fence',
      `store ${log + 32} 4`,
      `store ${log + 40} 4`,
      `flush ${log} 48`,
      'fence',
    ]);
  });
});

describe('a crash in the middle of mkfs', () => {
  /** An old file system with a file in it. */
  function oldVolume(): Uint8Array {
    const contents = shortLogMedia(fresh);
    appendAll(bufferMedia(contents, { size: DEVICE }), [mkdir(0), file(1, 5)]);
    return contents;
  }

  function expectOldNewOrNone(crashed: Media, oldUuid: string | null): void {
    const state = mediaState(crashed);
    expect(['none', 'valid']).toContain(state);
    if (state === 'none') return;
    const report = fsckMedia(crashed);
    expect(report.errors).toEqual([]);
    expect([report.files, report.directories]).toEqual(report.superblock?.uuid === oldUuid ? [1, 1] : [0, 0]);
  }

  it.each([
    ['a blank device', null],
    ['an old file system, by force', 'old'],
  ])('over %s leaves the old one whole, the new one whole, or none', (_, kind) => {
    const contents = kind === null ? new Uint8Array(2 * MIB + LOG) : oldVolume();
    const oldUuid = kind === null ? null : readSuperblock(bufferMedia(contents, { size: DEVICE })).uuid;
    const media = new CrashMedia(contents, DEVICE);
    formatMedia(media, { systemUuid: HOST, force: true });
    media.eachKill(tornSomewhere, (crashed) => expectOldNewOrNone(crashed, oldUuid));
  });
});
