import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  checkLogHeader,
  checkSuperblock,
  decodeSuperblock,
  type Fmap,
  fsckMedia,
  Log,
  type LogEntry,
  newAllocationMap,
  resolve,
  type Superblock,
} from '../../src/famfs/index.js';
import { FileTree } from '../../src/famfs/media/tree.js';
import { type GoldenEntry, golden, goldenEntries, goldenMedia, goldenNames } from './golden.js';

const hex = (n: number) => `0x${n.toString(16)}`;
const octal = (n: number) => `0${n.toString(8)}`;
const octalValue = (text: string) => Number.parseInt(text, 8);

function extentTriples(fmap: Fmap): [number, number, number][] {
  return fmap.extents.map(({ devindex, offset, length }) => [devindex, offset, length]);
}

/** An entry of udax in the form of the JSON. */
function asGolden(entry: LogEntry, expected: GoldenEntry): Partial<GoldenEntry> {
  const { kind } = entry;
  const common = { i: entry.index, seqnum: entry.seqnum, type: entry.type, crc: hex(entry.crc), kind };
  const base = { ...common, errors: expected.errors };
  if (entry.kind === 'unknown') return base;
  if (entry.kind === 'add_daxdev') {
    return { ...base, dd_size: entry.size, dd_index: entry.daxIndex, dd_uuid: entry.uuid };
  }
  const { path, uid, gid } = entry;
  const owned = { ...base, path, uid, gid, mode: octal(entry.mode) };
  if (entry.kind === 'mkdir') return owned;
  const { size, flags, fmap } = entry;
  const file = { ...owned, size, flags, nextents: fmap.type === 'simple' ? fmap.extents.length : 1 };
  if (fmap.type === 'simple') return { ...file, ext_type: 0, extents: extentTriples(fmap) };
  const { nstrips, chunkSize } = fmap;
  return { ...file, ext_type: 1, nstrips, chunk_size: chunkSize, strips: extentTriples(fmap) };
}

function superblockOf(name: string): Superblock {
  return decodeSuperblock(goldenMedia(name).bytes(0, 200));
}

describe('golden images decode as C decodes them', () => {
  describe.each(goldenNames)('%s', (name) => {
    const { decoded_by_c: expected } = golden(name);

    it('superblock, and the result of its check', () => {
      const superblock = superblockOf(name);
      expect(checkSuperblock(goldenMedia(name).bytes(0, 200)).result).toBe(
        expected.superblock.check_super_rc,
      );
      const { crc_computed: _, check_super_rc: __, ...fields } = expected.superblock;
      expect({
        magic: hex(superblock.magic),
        version: superblock.version,
        log_offset: superblock.logOffset,
        log_len: superblock.logLength,
        alloc_unit: superblock.allocUnit,
        omf_major: superblock.omfMajor,
        omf_minor: superblock.omfMinor,
        uuid: superblock.uuid,
        dev_uuid: superblock.deviceUuid,
        system_uuid: superblock.systemUuid,
        crc_stored: hex(superblock.crc),
        sb_flags: superblock.flags,
        dd_size: superblock.deviceSize,
        dd_uuid: superblock.daxdevUuid,
        dd_daxdev: superblock.deviceName,
      }).toEqual(fields);
    });

    it('log header, and the result of its check', () => {
      const log = Log.at(goldenMedia(name), superblockOf(name));
      const header = log.header();
      const { crc_computed: _, validate_header_rc, ...fields } = expected.log;
      expect(checkLogHeader(log.headerBytes(), log.offset) === null ? 0 : -1).toBe(validate_header_rc);
      expect({
        magic: hex(header.magic),
        len: header.length,
        last_index: header.lastIndex,
        crc_stored: hex(header.crc),
        next_seqnum: header.nextSeqnum,
        next_index: header.nextIndex,
      }).toEqual(fields);
    });

    it('every entry, with the number of its errors', () => {
      const log = Log.at(goldenMedia(name), superblockOf(name));
      for (const { offset_map: _, ...entry } of goldenEntries(name)) {
        expect(log.checkEntry(entry.i).length).toBe(entry.errors);
        // A slot of zeroes has no extents. C prints it; udax does not treat it as a file.
        if (entry.nextents === 0 && entry.kind === 'file') continue;
        const ours = asGolden(log.decodeUnchecked(entry.i), entry as GoldenEntry);
        // C prints no extents for entries that fail their check.
        if (entry.errors > 0 && entry.extents === undefined) delete ours.extents;
        expect(ours).toEqual({
          ...entry,
          ...(entry.mode !== undefined && { mode: octal(octalValue(entry.mode)) }),
        });
      }
    });

    it('offset maps of all files', () => {
      const log = Log.at(goldenMedia(name), superblockOf(name));
      for (const entry of goldenEntries(name)) {
        if (entry.offset_map === undefined) continue;
        const decoded = log.entry(entry.i);
        if (decoded.kind !== 'file') throw new Error('an offset map on something else than a file');
        for (const [fileOffset, strip, deviceOffset] of entry.offset_map) {
          const piece = resolve(decoded.fmap, fileOffset);
          expect([piece.extent, piece.offset]).toEqual([strip, deviceOffset]);
        }
      }
    });

    const { bitmap } = expected;
    // C crashes on some images, which therefore have no bitmap to compare.
    if (bitmap === undefined) return;
    it('bitmap and capacity', () => {
      const media = goldenMedia(name);
      const superblock = superblockOf(name);
      const map = newAllocationMap(superblock);
      const tree = new FileTree(superblock, Log.at(media, superblock), { allocation: map });
      tree.replay({ pastBadEntries: true });
      const ranges = Array.from(map.setRuns(), ({ start, count }) => [start, count]);
      expect(map.units).toBe(bitmap.nbits);
      expect(ranges.length).toBe(bitmap.n_set_ranges);
      expect(ranges.slice(0, bitmap.set_ranges.length)).toEqual(bitmap.set_ranges);
      expect(hex(crc32(map.bytes()))).toBe(bitmap.bitmap_crc32_of_ceil_nbits_div_8_bytes);
      expect({
        alloc_collisions: tree.usage!.collisions,
        allocated_bytes: map.countSet() * superblock.allocUnit,
        sum_file_sizes: tree.counts.sumOfFileSizes,
        files: tree.counts.files,
        dirs: tree.counts.directories,
        bad_entries: tree.counts.badEntries,
      }).toEqual({
        alloc_collisions: bitmap.alloc_collisions,
        allocated_bytes: bitmap.allocated_bytes,
        sum_file_sizes: bitmap.sum_file_sizes,
        files: bitmap.files,
        dirs: bitmap.dirs,
        bad_entries: bitmap.bad_entries,
      });
    });
  });
});

describe('good images are clean', () => {
  const good = goldenNames.filter((name) => !golden(name).deliberately_bad && !name.startsWith('10-'));
  it.each(good)('%s', (name) => {
    const report = fsckMedia(goldenMedia(name));
    expect(report.errors).toEqual([]);
    expect(report.ok).toBe(true);
    const bitmap = golden(name).decoded_by_c.bitmap!;
    expect(report.capacity).toMatchObject({
      allocated: bitmap.allocated_bytes,
      free: bitmap.free_bytes,
      sumOfFileSizes: bitmap.sum_file_sizes,
      units: bitmap.nbits,
      collisions: 0,
    });
    expect([report.files, report.directories]).toEqual([bitmap.files, bitmap.dirs]);
  });
});
