// What went wrong: values of the media were used unchecked. A mode of 2^31 aborted the process that copied the file out; 04755
// made a set-id file owned by the caller; an owner of 2^32 - 1 meant "leave it"; extents were read again after the replay and not
// checked again; and a log of 8 GiB could be made that nobody could use. Right: each value is checked in one place, every time it
// is read.
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  bufferMedia,
  ENTRY_SIZE,
  encodeEntry,
  FileTree,
  formatMedia,
  fsckMedia,
  Log,
  type NewLogEntry,
  newAllocationMap,
  readSuperblock,
  slotOffset,
  superblockFaults,
} from '../../src/famfs/index.js';
import {
  DATA,
  fileEntry,
  GIB,
  HOST,
  type Made,
  MIB,
  makeVolume,
  mkdirEntry,
  replayed,
  UNIT,
} from './volume-maker.js';

const codesOf = (made: Made) => fsckMedia(made.media).errors.map(({ code }) => code);

describe('modes and owners of entries', () => {
  it('are permission bits and users in the tree, and fsck tells what else there was', () => {
    const made = makeVolume();
    made.appender.append({ ...fileEntry('a', 0), mode: 2 ** 31 + 0o640 });
    made.appender.append({ ...mkdirEntry('d'), mode: 0o40755 });
    made.appender.append({ ...fileEntry('b', 1), uid: 2 ** 32 - 1, gid: 2 ** 32 - 1 });
    made.appender.append({ ...fileEntry('c', 2), uid: 2 ** 32 - 2, mode: 0o7777 });
    const tree = replayed(made);
    expect([2, 3, 4, 5].map((ino) => tree.stat(ino).mode)).toEqual([0o640, 0o755, 0o640, 0o7777]);
    expect(tree.stat(4)).toMatchObject({ uid: 65534, gid: 65534 });
    expect(tree.stat(5).uid).toBe(2 ** 32 - 2);
    expect(codesOf(made)).toEqual(['entry-mode', 'entry-mode', 'entry-owner', 'entry-owner']);
    expect(fsckMedia(made.media).notes.map(({ code }) => code)).toEqual(['set-id']);
  });

  it('of everyday files are no news', () => {
    const made = makeVolume();
    made.appender.append(fileEntry('a', 0));
    made.appender.append({ ...mkdirEntry('d'), mode: 0o2775 });
    expect(fsckMedia(made.media)).toMatchObject({ ok: true, errors: [], notes: [] });
  });
});

describe('an entry that somebody rewrites after it was replayed', () => {
  function rewritten(change: (entry: ReturnType<typeof fileEntry>) => NewLogEntry): () => unknown {
    const made = makeVolume();
    made.appender.append(fileEntry('a', 0));
    const tree = replayed(made);
    expect(tree.fmap(2).extents).toHaveLength(1);
    const bytes = new Uint8Array(ENTRY_SIZE);
    encodeEntry(bytes, new DataView(bytes.buffer), change(fileEntry('a', 0)), 0);
    made.log.bytes.set(bytes, slotOffset(0));
    return () => tree.fmap(2);
  }
  const eio = expect.objectContaining({ code: 'EIO' });

  it('is EIO when its extents lie in the log, past the device, or hold too little', () => {
    const at = (offset: number, length: number) => (entry: ReturnType<typeof fileEntry>) => ({
      ...entry,
      fmap: { type: 'simple' as const, extents: [{ devindex: 0, offset, length }] },
    });
    expect(rewritten(at(0, UNIT))).toThrow(eio);
    expect(rewritten(at(2 * MIB, UNIT))).toThrow(eio);
    expect(rewritten(at(GIB, UNIT))).toThrow(eio);
    expect(rewritten(at(2 ** 50, UNIT))).toThrow(eio);
    expect(rewritten(at(DATA, UNIT - 1))).toThrow(eio);
    expect(rewritten((entry) => ({ ...entry, size: UNIT + 1 }))).toThrow(eio);
  });

  it('is EIO when its chunks have no size, ESTALE when it is another file, and read when it only moved', () => {
    const strips = [0, 1].map((i) => ({ devindex: 0, offset: DATA + i * UNIT, length: UNIT }));
    const interleaved = (chunkSize: number) => (entry: ReturnType<typeof fileEntry>) => ({
      ...entry,
      fmap: { type: 'interleaved' as const, nstrips: 2, chunkSize, extents: strips },
    });
    expect(rewritten(interleaved(0))).toThrow(eio);
    expect(rewritten(interleaved(7))).toThrow(eio);
    expect(rewritten((entry) => ({ ...entry, size: 6 }))).toThrow(
      expect.objectContaining({ code: 'ESTALE' }),
    );
    expect(rewritten(interleaved(UNIT))()).toMatchObject({ type: 'interleaved' });
  });
});

describe('a log longer than anybody can use', () => {
  it('is not made: EINVAL names the limit, and nothing is written', () => {
    const media = bufferMedia(new Uint8Array(10 * MIB), { size: 2 ** 40 });
    expect(() => formatMedia(media, { systemUuid: HOST, logLength: 8 * GIB })).toThrow(
      expect.objectContaining({
        code: 'EINVAL',
        message: expect.stringContaining('at most 4294967296 (4 GiB'),
      }),
    );
    expect(media.bytes(0, 16)).toEqual(new Uint8Array(16));
  });

  it('that another software made is told by fsck, and refused with EFBIG', () => {
    // The superblock of a 8 GiB log; the rest is never looked at.
    const contents = new Uint8Array(10 * MIB);
    formatMedia(bufferMedia(contents, { size: 2 ** 40 }), { systemUuid: HOST });
    const whole = readSuperblock(bufferMedia(contents, { size: 2 ** 40 }));
    const longer = { ...whole, logLength: 8 * GIB };
    expect(superblockFaults(longer, 2 ** 40).map(({ code }) => code)).toEqual(['superblock-log-limit']);
    const media = bufferMedia(withLogLength(contents, 8 * GIB), { size: 2 ** 40 });
    expect(fsckMedia(media).errors.map(({ code }) => code)).toContain('superblock-log-limit');
    expect(() => readSuperblock(media)).toThrow(expect.objectContaining({ code: 'EFBIG' }));
  });
});

function withLogLength(contents: Uint8Array, logLength: number): Uint8Array {
  const bytes = contents.slice();
  const view = new DataView(bytes.buffer);
  view.setBigUint64(24, BigInt(logLength), true);
  view.setBigUint64(96, BigInt(crc32(bytes.subarray(0, 96))), true);
  return bytes;
}

describe('a hostile log', () => {
  it('that marks a huge device again and again is replayed in bounded time', () => {
    const map = newAllocationMap({ ...readSuperblock(makeVolume(2 ** 50).media) });
    let taken = 0;
    // At one word for each step this took 2^24 words for each mark, which is minutes.
    for (let i = 0; i < 5000; i++) taken = map.set(5 + (i % 3), 2 ** 29 - 10);
    expect(taken).toBe(2 ** 29 - 10);
    map.clear(2 ** 20, 3);
    expect(map.countSet(2 ** 20 - 1, 5)).toBe(2);
    expect(map.set(0, 2 ** 29)).toBe(map.units - 6);
  });

  it('whose directory is lost still shows what is in it, when asked to', () => {
    const made = makeVolume();
    made.appender.append(mkdirEntry('d'));
    made.appender.append(fileEntry('d/a', 0));
    made.log.bytes[slotOffset(0) + 100]! ^= 1;
    const superblock = readSuperblock(made.media);
    const plain = new FileTree(superblock, Log.open(made.media, superblock));
    plain.replay({ pastBadEntries: true });
    expect(plain.lookup('d/a')).toBe(-1);
    const salvaging = new FileTree(superblock, Log.open(made.media, superblock), { adoptsOrphans: true });
    salvaging.replay({ pastBadEntries: true });
    expect(salvaging.pathOf(salvaging.lookup('d/a'))).toBe('d/a');
    expect(salvaging.isDirectory(salvaging.lookup('d'))).toBe(true);
  });
});
