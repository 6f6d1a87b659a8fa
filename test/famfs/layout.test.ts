import { describe, expect, it } from 'vitest';
import {
  addDaxdevLayout,
  extentLayout,
  fileMetaLayout,
  fmapLayout,
  interleavedLayout,
  logEntryLayout,
  logHeaderLayout,
  logSlots,
  mkdirMetaLayout,
  superblockLayout,
} from '../../src/famfs/index.js';
import { kitBytes } from '../support/conformance.js';

interface Row {
  offset: number;
  size: number;
}

/** layout.txt: `SIZEOF struct size`, then indented `member off=N size=N`. */
function realLayout(): { sizes: Map<string, number>; rows: Map<string, Row>; slots: [number, number][] } {
  const sizes = new Map<string, number>();
  const rows = new Map<string, Row>();
  const slots: [number, number][] = [];
  let struct = '';
  for (const line of kitBytes('famfs', 'layout.txt').toString('utf8').split('\n')) {
    const size = /^SIZEOF (\S+) (\d+)/.exec(line);
    const row = /^ {2}(\S+) +off=(\d+) size=(\d+)/.exec(line);
    const log = /^loglen (\d+)M .*nslots=(\d+)/.exec(line);
    if (size !== null) {
      struct = size[1]!;
      sizes.set(struct, Number(size[2]));
    } else if (row !== null)
      rows.set(`${struct}.${row[1]}`, { offset: Number(row[2]), size: Number(row[3]) });
    else if (log !== null) slots.push([Number(log[1]) * 2 ** 20, Number(log[2])]);
  }
  return { sizes, rows, slots };
}

const { sizes, rows, slots } = realLayout();

/** Our table, C's struct, and C's member for each of our fields. */
const pairs = [
  {
    layout: superblockLayout,
    struct: 'famfs_superblock',
    members: {
      magic: 'ts_magic',
      version: 'ts_version',
      logOffset: 'ts_log_offset',
      logLength: 'ts_log_len',
      allocUnit: 'ts_alloc_unit',
      omfMajor: 'ts_omf_ver_major',
      omfMinor: 'ts_omf_ver_minor',
      uuid: 'ts_uuid',
      deviceUuid: 'ts_dev_uuid',
      systemUuid: 'ts_system_uuid',
      crc: 'ts_crc',
      flags: 'ts_sb_flags',
      deviceSize: 'ts_daxdev.dd_size',
      daxdevUuid: 'ts_daxdev.dd_uuid',
      deviceName: 'ts_daxdev.dd_daxdev',
    },
  },
  {
    layout: logHeaderLayout,
    struct: 'famfs_log',
    members: {
      magic: 'famfs_log_magic',
      length: 'famfs_log_len',
      lastIndex: 'famfs_log_last_index',
      crc: 'famfs_log_crc',
      nextSeqnum: 'famfs_log_next_seqnum',
      nextIndex: 'famfs_log_next_index',
    },
  },
  {
    layout: logEntryLayout,
    struct: 'famfs_log_entry',
    members: {
      seqnum: 'famfs_log_entry_seqnum',
      type: 'famfs_log_entry_type',
      meta: 'famfs_fm',
      crc: 'famfs_log_entry_crc',
    },
  },
  {
    layout: fileMetaLayout,
    struct: 'famfs_log_file_meta',
    members: {
      size: 'fm_size',
      flags: 'fm_flags',
      uid: 'fm_uid',
      gid: 'fm_gid',
      mode: 'fm_mode',
      path: 'fm_relpath',
      fmap: 'fm_fmap',
    },
  },
  {
    layout: addDaxdevLayout,
    struct: 'famfs_log_add_daxdev',
    members: { size: 'dd_size', uuid: 'dd_uuid', index: 'dd_index' },
  },
  {
    layout: fmapLayout,
    struct: 'famfs_log_fmap',
    members: { extType: 'fmap_ext_type', nextents: 'fmap_nextents', extents: 'se', interleaved: 'ie' },
  },
  {
    layout: extentLayout,
    struct: 'famfs_simple_extent',
    members: { devindex: 'se_devindex', offset: 'se_offset', length: 'se_len' },
  },
  {
    layout: interleavedLayout,
    struct: 'famfs_interleaved_ext',
    members: { nstrips: 'ie_nstrips', chunkSize: 'ie_chunk_size', strips: 'ie_strips' },
  },
] as const;

describe('the struct tables are the real headers', () => {
  for (const { layout, struct, members } of pairs) {
    it(`${struct} has ${layout.size} bytes and every field at its offset`, () => {
      expect(layout.size).toBe(sizes.get(struct));
      expect(Object.keys(members).sort()).toEqual(Object.keys(layout.fields).sort());
      for (const [field, member] of Object.entries(members)) {
        const { offset, size } = (layout.fields as Record<string, Row>)[field]!;
        expect({ field, offset, size }).toEqual({ field, ...rows.get(`${struct}.${member}`) });
      }
    });
  }

  it('famfs_log_mkdir has 92 bytes and every field at its offset', () => {
    expect(mkdirMetaLayout.size).toBe(sizes.get('famfs_log_mkdir'));
    const union = logEntryLayout.fields.meta.offset;
    for (const [field, member] of Object.entries({ uid: 'uid', gid: 'gid', mode: 'mode', path: 'relpath' })) {
      const { offset, size } = (mkdirMetaLayout.fields as Record<string, Row>)[field]!;
      const real = rows.get(`famfs_log_entry.famfs_md.md_${member}`);
      expect({ field, offset: offset + union, size }).toEqual({ field, ...real });
    }
  });

  it('a log of every length has the slots C gives it', () => {
    expect(slots.length).toBeGreaterThan(5);
    for (const [length, count] of slots) expect(logSlots(length)).toBe(count);
  });
});
