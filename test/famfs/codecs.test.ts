// The codecs of entries and file maps, each field at the byte that docs/famfs-format.md says (2.3, 2.4). The bytes of the tests are
// written by hand, not by the tables of the code. Entries lie in the middle of a buffer that is a part of a larger one: a sign or a
// base that is wrong shows.
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeEntry, ENTRY_SIZE, encodeEntry, type NewLogEntry } from '../../src/famfs/media/entry.js';
import {
  continuesExtent,
  decodeFmap,
  encodeFmap,
  extentRanges,
  type FamfsExtent,
  type Fmap,
  fmapCapacity,
  resolve,
} from '../../src/famfs/media/fmap.js';

const AT = 3 * ENTRY_SIZE;
const ORIGIN = 0x20_0030;
const META = 16;
const FMAP = META + 104;

/** A view in a larger buffer of 0xee, zeroed where the entry will be. */
function room(): { bytes: Uint8Array; view: DataView } {
  const whole = new Uint8Array(6 * ENTRY_SIZE + 8).fill(0xee);
  const bytes = whole.subarray(8);
  bytes.fill(0, AT, AT + ENTRY_SIZE);
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}

const setU64 = (view: DataView, at: number, value: number) => view.setBigUint64(at, BigInt(value), true);

function writeExtents(view: DataView, at: number, extents: readonly FamfsExtent[]): void {
  for (const [i, { devindex, offset, length }] of extents.entries()) {
    setU64(view, at + 24 * i, devindex);
    setU64(view, at + 24 * i + 8, offset);
    setU64(view, at + 24 * i + 16, length);
  }
}

function writeFmap(view: DataView, at: number, fmap: Fmap): void {
  view.setUint32(at, fmap.type === 'simple' ? 0 : 1, true);
  view.setUint32(at + 8, fmap.type === 'simple' ? fmap.extents.length : 1, true);
  if (fmap.type === 'interleaved') {
    setU64(view, at + 16, fmap.nstrips);
    setU64(view, at + 24, fmap.chunkSize);
  }
  writeExtents(view, at + (fmap.type === 'simple' ? 16 : 32), fmap.extents);
}

const extent = (devindex: number, offset: number, length: number): FamfsExtent => ({
  devindex,
  offset,
  length,
});
const some = (count: number) => Array.from({ length: count }, (_, i) => extent(i + 1, 1000 * (i + 1), 7 + i));
const simple: Fmap = { type: 'simple', extents: some(3) };
const striped: Fmap = { type: 'interleaved', nstrips: 4, chunkSize: 0x1234_5678_9a, extents: some(4) };
const most: Fmap[] = [
  { type: 'simple', extents: some(16) },
  { type: 'interleaved', nstrips: 16, chunkSize: 4096, extents: some(16) },
  { type: 'simple', extents: some(1) },
  { type: 'interleaved', nstrips: 1, chunkSize: 4096, extents: some(1) },
];

const code = (run: () => unknown): string => {
  try {
    run();
    return 'no error';
  } catch (error) {
    return `${(error as NodeJS.ErrnoException).code}: ${(error as Error).message}`;
  }
};

describe('file maps', () => {
  it.each([simple, striped, ...most])(
    'are read from their bytes, and written to the same bytes: %#',
    (fmap) => {
      const { bytes, view } = room();
      writeFmap(view, AT + FMAP, fmap);
      expect(decodeFmap(view, AT + FMAP, 'file a', ORIGIN)).toEqual(fmap);
      const other = room();
      encodeFmap(other.view, AT + FMAP, fmap);
      expect(Buffer.from(other.bytes).equals(bytes)).toBe(true);
    },
  );

  it.each([
    ['type', 0, 2, `file a: extent type 2 at byte ${ORIGIN + AT + FMAP} is unknown`],
    ['no extents', 8, 0, `file a: nextents at byte ${ORIGIN + AT + FMAP + 8} is 0: want 1..16`],
    ['too many extents', 8, 17, `file a: nextents at byte ${ORIGIN + AT + FMAP + 8} is 17: want 1..16`],
  ])('with a bad value are EBADMSG that names the byte: %s', (_what, at, value, message) => {
    const { view } = room();
    writeFmap(view, AT + FMAP, simple);
    view.setUint32(AT + FMAP + at, value, true);
    expect(code(() => decodeFmap(view, AT + FMAP, 'file a', ORIGIN))).toBe(`EBADMSG: ${message}`);
  });

  it.each([
    ['no interleaved extent', 8, 0, `file a: niext at byte ${ORIGIN + AT + FMAP + 8} is 0: want 1`],
    ['two interleaved extents', 8, 2, `file a: niext at byte ${ORIGIN + AT + FMAP + 8} is 2: want 1`],
    ['no strips', 16, 0, `file a: nstrips at byte ${ORIGIN + AT + FMAP + 16} is 0: want 1..16`],
    ['too many strips', 16, 17, `file a: nstrips at byte ${ORIGIN + AT + FMAP + 16} is 17: want 1..16`],
  ])('of stripes with a bad value are EBADMSG that names the byte: %s', (_what, at, value, message) => {
    const { view } = room();
    writeFmap(view, AT + FMAP, striped);
    view.setUint32(AT + FMAP + at, value, true);
    expect(code(() => decodeFmap(view, AT + FMAP, 'file a', ORIGIN))).toBe(`EBADMSG: ${message}`);
  });

  it.each([
    ['chunk_size', striped, 24],
    ['extent 1 devindex', simple, 16 + 24],
    ['extent 1 offset', simple, 16 + 24 + 8],
    ['extent 1 len', simple, 16 + 24 + 16],
    ['extent 2 devindex', striped, 32 + 48],
  ])('with a number beyond 2^53 are EBADMSG that names field and byte: %s', (field, fmap, at) => {
    const { view } = room();
    writeFmap(view, AT + FMAP, fmap);
    view.setBigUint64(AT + FMAP + at, 2n ** 53n, true);
    expect(code(() => decodeFmap(view, AT + FMAP, 'file a', ORIGIN))).toContain(
      `EBADMSG: file a: ${field} at byte ${ORIGIN + AT + FMAP + at} is 0x20000000000000`,
    );
  });

  it('that a slot cannot hold are EINVAL', () => {
    const { view } = room();
    const refusal = (fmap: Fmap) => code(() => encodeFmap(view, 0, fmap));
    expect(refusal({ type: 'simple', extents: [] })).toBe('EINVAL: a file has 1 to 16 extents, not 0');
    expect(refusal({ type: 'simple', extents: some(17) })).toBe('EINVAL: a file has 1 to 16 extents, not 17');
    expect(refusal({ type: 'interleaved', nstrips: 17, chunkSize: 1, extents: some(17) })).toBe(
      'EINVAL: a file has 1 to 16 extents, not 17',
    );
    expect(refusal({ type: 'interleaved', nstrips: 3, chunkSize: 1, extents: some(2) })).toBe(
      'EINVAL: an interleaved file of 3 strips has 2 extents',
    );
  });

  it('hold the sum of their extents, or whole chunks of the shortest strip in each strip', () => {
    expect(fmapCapacity({ type: 'simple', extents: [extent(0, 5, 10), extent(0, 50, 7)] })).toBe(17);
    const strips = [extent(0, 0, 30), extent(0, 100, 25), extent(0, 200, 40)];
    expect(fmapCapacity({ type: 'interleaved', nstrips: 3, chunkSize: 10, extents: strips })).toBe(60);
  });

  it('tell extents that continue one another', () => {
    expect(continuesExtent(extent(1, 10, 5), extent(1, 15, 9))).toBe(true);
    expect(continuesExtent(extent(1, 10, 5), extent(2, 15, 9))).toBe(false);
    expect(continuesExtent(extent(1, 10, 5), extent(1, 16, 9))).toBe(false);
    expect(continuesExtent(extent(1, 10, 5), extent(1, 14, 9))).toBe(false);
    expect(continuesExtent(extent(1, 15, 9), extent(1, 10, 5))).toBe(false);
  });
});

/** The device byte behind each byte of a file, by the definition of the format. */
function placeOf(fmap: Fmap, at: number): { extent: number; devindex: number; offset: number } | null {
  if (fmap.type === 'simple') {
    let left = at;
    for (const [i, { devindex, offset, length }] of fmap.extents.entries()) {
      if (left < length) return { extent: i, devindex, offset: offset + left };
      left -= length;
    }
    return null;
  }
  const chunk = Math.floor(at / fmap.chunkSize);
  const strip = chunk % fmap.nstrips;
  const within = Math.floor(chunk / fmap.nstrips) * fmap.chunkSize + (at % fmap.chunkSize);
  const { devindex, offset, length } = fmap.extents[strip]!;
  return within < length ? { extent: strip, devindex, offset: offset + within } : null;
}

const lengths = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 5 });
const extentsOf = (list: readonly number[]) => list.map((length, i) => extent(i % 2, 1000 * (i + 1), length));
const fmaps: fc.Arbitrary<Fmap> = fc.oneof(
  lengths.map((list): Fmap => ({ type: 'simple', extents: extentsOf(list) })),
  fc.tuple(lengths, fc.integer({ min: 1, max: 9 })).map(
    ([list, chunkSize]): Fmap => ({
      type: 'interleaved',
      nstrips: list.length,
      chunkSize,
      extents: extentsOf(list),
    }),
  ),
);

describe('where the bytes of a file lie', () => {
  it('resolve() finds each byte, and how many follow it', () => {
    fc.assert(
      fc.property(fmaps, fc.nat(160), (fmap, at) => {
        const place = placeOf(fmap, at);
        if (place === null) {
          expect(code(() => resolve(fmap, at))).toMatch(/^ERANGE: file offset \d+ lies /);
          return;
        }
        const { length, ...found } = resolve(fmap, at);
        expect(found).toEqual(place);
        for (let i = 0; i < length; i++)
          expect(placeOf(fmap, at + i)).toEqual({ ...place, offset: place.offset + i });
        // A single strip, or the last extent, ends where its bytes end; else what follows lies elsewhere.
        const next = placeOf(fmap, at + length);
        expect(next?.extent === place.extent && next.offset === place.offset + length).toBe(false);
      }),
    );
    expect(code(() => resolve(simple, -1))).toBe('ERANGE: file offset -1 is negative');
    expect(code(() => resolve(simple, Number.NaN))).toMatch(/^ERANGE/);
    expect(code(() => resolve(simple, 24))).toBe(
      'ERANGE: file offset 24 lies 0 bytes past the end of its extents',
    );
  });

  it('extentRanges() gives the same bytes as one range an extent, in the order of the extents', () => {
    fc.assert(
      fc.property(fmaps, fc.nat(100), fc.nat(100), (fmap, offset, length) => {
        const expected = new Map<number, number[]>();
        let inside = 0;
        for (let i = offset; i < offset + length; i++) {
          const place = placeOf(fmap, i);
          if (place === null) continue;
          inside++;
          expected.set(place.extent, [...(expected.get(place.extent) ?? []), place.offset]);
        }
        if (inside < length) {
          // A strip that is too short hides behind longer ones: what counts is that not all bytes are there.
          expect(code(() => extentRanges(fmap, offset, length))).toMatch(/^ERANGE: only \d+ of \d+ bytes at/);
          return;
        }
        const ranges = [...expected.entries()]
          .sort(([a], [b]) => a - b)
          .map(([i, places]) => extent(fmap.extents[i]!.devindex, Math.min(...places), places.length));
        expect(extentRanges(fmap, offset, length)).toEqual(ranges);
      }),
      { numRuns: 300 },
    );
  });

  it('extentRanges() of nothing is nothing, of what leaves the extents ERANGE with what is there', () => {
    expect(extentRanges(simple, 3, 0)).toEqual([]);
    expect(extentRanges(simple, 3, -1)).toEqual([]);
    expect(extentRanges(simple, 20, 4)).toEqual([extent(3, 3005, 4)]);
    expect(code(() => extentRanges(simple, 20, 5))).toBe(
      'ERANGE: only 4 of 5 bytes at 20 of a file lie in its extents',
    );
  });
});

/** An entry's bytes by the format's table. */
function slotOf(
  type: number,
  seqnum: number,
  write: (view: DataView, bytes: Uint8Array) => void,
): Uint8Array {
  const slot = new Uint8Array(ENTRY_SIZE);
  const view = new DataView(slot.buffer);
  setU64(view, 0, seqnum);
  view.setUint32(8, type, true);
  write(view, slot);
  setU64(view, 536, crc32(slot.subarray(0, 536)));
  return slot;
}

const uuid = '00112233-4455-6677-8899-aabbccddeeff';
const file: NewLogEntry = {
  ...{
    kind: 'file',
    path: 'dir/name',
    size: 0x1_0203_0405,
    flags: 0x5060708,
    uid: 0xfffffffe,
    gid: 0x89abcdef,
  },
  ...{ mode: 0o640, fmap: striped },
};
const entries: [string, NewLogEntry, Uint8Array][] = [
  [
    'a file',
    file,
    slotOf(0, 0x1_0000_0007, (view, bytes) => {
      setU64(view, META, 0x1_0203_0405);
      for (const [at, value] of [0x5060708, 0xfffffffe, 0x89abcdef, 0o640].entries())
        view.setUint32(META + 8 + 4 * at, value, true);
      bytes.set(Buffer.from('dir/name'), META + 24);
      writeFmap(view, FMAP, striped);
    }),
  ],
  [
    'a directory',
    { kind: 'mkdir', path: 'd\u00e9', uid: 0xfffffffe, gid: 0x89abcdef, mode: 0o2775 },
    slotOf(1, 0x1_0000_0007, (view, bytes) => {
      for (const [at, value] of [0xfffffffe, 0x89abcdef, 0o2775].entries())
        view.setUint32(META + 4 * at, value, true);
      bytes.set(Buffer.from('d\u00e9'), META + 12);
    }),
  ],
  [
    'a device',
    { kind: 'add_daxdev', size: 0x1_0203_0405, uuid, daxIndex: 0x80000001 },
    slotOf(3, 0x1_0000_0007, (view, bytes) => {
      setU64(view, META, 0x1_0203_0405);
      bytes.set(Buffer.from(uuid.replaceAll('-', ''), 'hex'), META + 8);
      view.setUint32(META + 24, 0x80000001, true);
    }),
  ],
];

describe('log entries', () => {
  it.each(entries)(
    '%s is written to the bytes of the format, over whatever was there',
    (_what, entry, slot) => {
      const bytes = new Uint8Array(ENTRY_SIZE).fill(0xdd);
      encodeEntry(bytes, new DataView(bytes.buffer), entry, 0x1_0000_0007);
      expect(Buffer.from(bytes).equals(slot)).toBe(true);
    },
  );

  it.each(entries)('%s is read from the bytes of the format', (_what, entry, slot) => {
    const { bytes, view } = room();
    bytes.set(slot, AT);
    expect(decodeEntry(view, AT, 41, ORIGIN)).toEqual({
      ...entry,
      index: 41,
      seqnum: 0x1_0000_0007,
      type: slot[8],
      crc: crc32(slot.subarray(0, 536)),
    });
  });

  it('of a type nobody knows are told as that, whatever their bytes', () => {
    const { bytes, view } = room();
    bytes.set(
      slotOf(2, 1, (_view, slot) => slot.fill(0xff, 16, 536)),
      AT,
    );
    expect(decodeEntry(view, AT, 0)).toMatchObject({ kind: 'unknown', type: 2, seqnum: 1 });
  });

  it('a path ends at its NUL, at once or at the field', () => {
    const { bytes, view } = room();
    bytes.set(entries[1]![2], AT);
    bytes.fill(0x61, AT + META + 12, AT + META + 12 + 80);
    bytes[AT + META + 12 + 80] = 0x62;
    expect(decodeEntry(view, AT, 0)).toMatchObject({ path: 'a'.repeat(80) });
    bytes[AT + META + 12] = 0;
    expect(decodeEntry(view, AT, 0)).toMatchObject({ path: '' });
  });

  it.each([
    ['seqnum', 0],
    ['crc', 536],
  ])('with a %s beyond 2^53 are EBADMSG that names the byte', (field, at) => {
    const { bytes, view } = room();
    bytes.set(entries[0]![2], AT);
    view.setBigUint64(AT + at, 2n ** 53n, true);
    expect(code(() => decodeEntry(view, AT, 7, ORIGIN))).toContain(
      `log entry 7: ${field} at byte ${ORIGIN + AT + at} `,
    );
  });

  it.each([
    [{ size: 0 }, `a famfs file holds at least one byte; 'dir/name' would have 0`],
    [{ size: -1 }, `a famfs file holds at least one byte; 'dir/name' would have -1`],
    [{ size: 1.5 }, `a famfs file holds at least one byte; 'dir/name' would have 1.5`],
    [{ path: '' }, `'' cannot be logged: a path on media is relative, not empty and free of NULs`],
    [{ path: '/a' }, `'/a' cannot be logged: a path on media is relative, not empty and free of NULs`],
    [{ path: 'a\0b' }, `'a\0b' cannot be logged: a path on media is relative, not empty and free of NULs`],
    [{ uid: -1 }, `uid -1 of 'dir/name' is not a 32-bit number`],
    [{ gid: 2 ** 32 }, `gid 4294967296 of 'dir/name' is not a 32-bit number`],
    [{ mode: 0.5 }, `mode 0.5 of 'dir/name' is not a 32-bit number`],
  ])('that a slot cannot hold are EINVAL with the path: %#', (change, message) => {
    const bytes = new Uint8Array(ENTRY_SIZE);
    const entry = { ...file, ...change } as NewLogEntry & { path: string };
    const refused = () => encodeEntry(bytes, new DataView(bytes.buffer), entry, 0);
    expect(code(refused)).toBe(`EINVAL: ${message}`);
    expect(refused).toThrow(expect.objectContaining({ path: entry.path }));
  });

  it('hold names of 79 bytes', () => {
    const bytes = new Uint8Array(ENTRY_SIZE);
    const view = new DataView(bytes.buffer);
    encodeEntry(bytes, view, { ...file, path: 'n'.repeat(79) } as NewLogEntry, 0);
    expect(decodeEntry(view, 0, 0)).toMatchObject({ path: 'n'.repeat(79) });
    expect(code(() => encodeEntry(bytes, view, { ...file, path: 'n'.repeat(80) } as NewLogEntry, 0))).toMatch(
      /^ENAMETOOLONG/,
    );
  });

  it('of files say that all hosts may write, unless told otherwise', () => {
    const bytes = new Uint8Array(ENTRY_SIZE);
    const view = new DataView(bytes.buffer);
    const { flags: _, ...rest } = file as Extract<NewLogEntry, { kind: 'file' }>;
    encodeEntry(bytes, view, rest, 0);
    expect(decodeEntry(view, 0, 0)).toMatchObject({ flags: 2 });
  });
});
