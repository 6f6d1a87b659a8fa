// The golden annex: every type of record, made with fixed uuids and times. Readers in other languages are tested with it, so its bytes
// must stay readable for ever, and what is written now must be the same bytes.
import fs from 'node:fs';
import path from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { beforeAll, expect, it } from 'vitest';
import {
  bufferMedia,
  FileTree,
  formatMedia,
  fsckMedia,
  Log,
  LogAppender,
  type NewLogEntry,
  newAllocationMap,
  readSuperblock,
} from '../../../src/famfs/index.js';
import { encodeAnnexHeader, recordSeed } from '../../../src/famfs/media/annex-file.js';
import {
  annexHeaderLayout,
  annexRecordLayout,
  annexSlotOffset,
} from '../../../src/famfs/media/annex-layout.js';
import { type AnnexChange, encodeRecordOf } from '../../../src/famfs/media/annex-record.js';

const MIB = 2 ** 20;
const SIZE = 64 * MIB;
const ANNEX_AT = 10 * MIB;
const folder = path.resolve(import.meta.dirname, '../../../conformance/annex');
const UUID = 'aaaaaaaa-0000-4000-8000-00000000000a';
const owner = { uid: 1000, gid: 100 };

const file = (name: string, unit: number, size: number): NewLogEntry => ({
  kind: 'file',
  path: name,
  size,
  mode: 0o644,
  ...owner,
  fmap: { type: 'simple', extents: [{ devindex: 0, offset: ANNEX_AT + unit * 2 * MIB, length: 2 * MIB }] },
});
const directory = (name: string): NewLogEntry => ({ kind: 'mkdir', path: name, mode: 0o755, ...owner });

const entries: NewLogEntry[] = [
  directory('d'),
  file('d/a', 1, 5),
  file('b', 2, 6),
  file('gone', 3, 7),
  { ...file('.udax-annex', 0, 2 * MIB), mode: 0o600 } as NewLogEntry,
  directory('.udax-objects'),
  file('.udax-objects/6', 4, 8),
  file('.udax-objects/7', 5, 9),
];
const later: NewLogEntry[] = [directory('late'), file('late/x', 6, 10), file('b', 7, 11)];
const long = 'n'.repeat(200);

const changes: AnnexChange[] = [
  { kind: 'unbind', ino: 5, directory: 1, name: 'gone' },
  { kind: 'rename', ino: 3, directory: 2, name: 'a', newDirectory: 1, newName: 'gone', replaced: 0 },
  { kind: 'bind', ino: 8, directory: 2, name: long, replaced: 0 },
  { kind: 'make', directory: 2, name: 'link', target: '../gone', mode: 0o777, ...owner, replaced: 0 },
  { kind: 'make', directory: 1, name: 'empty', target: null, mode: 0o600, ...owner, replaced: 0 },
  { kind: 'bind', ino: 4, directory: 2, name: 'hard', replaced: 0 },
  {
    kind: 'exchange',
    ino: 4,
    directory: 1,
    name: 'b',
    newDirectory: 1,
    newName: 'empty',
    other: 2 ** 32 + 4,
  },
  { kind: 'attributes', ino: 2, mode: 0o2750, gid: 7 },
  {
    kind: 'times',
    ino: 3,
    atime: { seconds: -5, nanoseconds: 1 },
    mtime: { seconds: 2 ** 33, nanoseconds: 999_999_999 },
  },
  { kind: 'xattr', ino: 4, name: 'user.note', value: Buffer.from('kept') },
  { kind: 'xattr', ino: 4, name: 'user.gone', value: Buffer.from('x') },
  { kind: 'xattr', ino: 4, name: 'user.gone', value: null },
  { kind: 'replace', ino: 3, content: 9 },
  { kind: 'bind', ino: 2 ** 32 + 3, directory: 1, name: 'also-a-link\u00e9', replaced: 0 },
  { kind: 'unbind', ino: 77, directory: 1, name: 'never' },
];

/** Superblock, log and annex; the data of the files is zero. */
function made(): Uint8Array {
  const bytes = new Uint8Array(ANNEX_AT + 2 * MIB);
  const media = bufferMedia(bytes, { name: 'golden', size: SIZE });
  const device = 'aaaaaaaa-0000-4000-8000-00000000000b';
  formatMedia(media, {
    systemUuid: '11111111-2222-4333-8444-555555555555',
    uuids: { fileSystem: UUID, device },
    deviceName: 'golden',
  });
  const log = new LogAppender(Log.open(media, readSuperblock(media)));
  for (const entry of [...entries, ...later.slice(0, 2)]) log.append(entry);
  const annex = bytes.subarray(ANNEX_AT);
  annex.set(encodeAnnexHeader(UUID, 0, 2 * MIB, 0));
  let slot = 0;
  for (const [seqnum, change] of changes.entries()) {
    const when = { seconds: 1_700_000_000 + seqnum, nanoseconds: 5 * seqnum };
    const record = encodeRecordOf(change, { seqnum, base: 8, when, seed: recordSeed(UUID) });
    annex.set(record, annexSlotOffset(slot));
    slot += record.length / 64;
  }
  const view = new DataView(bytes.buffer, ANNEX_AT);
  view.setUint32(annexHeaderLayout.fields.nextSeqnum.offset, changes.length, true);
  view.setUint32(annexHeaderLayout.fields.nextIndex.offset, slot, true);
  return bytes;
}

function described(bytes: Uint8Array): object {
  const media = bufferMedia(bytes, { name: 'golden', size: SIZE });
  const superblock = readSuperblock(media);
  const treeOf = (annex: boolean): FileTree => {
    const tree = new FileTree(superblock, Log.open(media, superblock), {
      allocation: newAllocationMap(superblock),
      annex,
    });
    tree.replay();
    return tree;
  };
  const rows = (tree: FileTree, ino = 1, above = ''): object[] =>
    [...tree.entries(ino)]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .flatMap(({ name, ino: child }) => {
        const { ino: number, ...stat } = tree.stat(child);
        const xattrs = tree.annex?.names.attributes.get(child)?.xattrs;
        const row = {
          path: `${above}/${name}`,
          ino: number,
          ...stat,
          ...(tree.linkTarget(child) !== null && { target: tree.linkTarget(child) }),
          ...(stat.type === 'file' && { extents: tree.fmap(child).extents }),
          ...(xattrs && {
            xattrs: Object.fromEntries(
              [...xattrs].map(([key, value]) => [key, Buffer.from(value).toString()]),
            ),
          }),
        };
        return [row, ...(stat.type === 'directory' ? rows(tree, child, `${above}/${name}`) : [])];
      });
  const tree = treeOf(true);
  const { errors, notes } = fsckMedia(media);
  return {
    about: 'made by udax: superblock, log and annex of a device of full_len bytes; the rest is zero',
    full_len: SIZE,
    tree: rows(tree),
    plain: rows(treeOf(false)),
    records: tree.annex!.records,
    problems: tree.problemsAndStop.map(({ code, record, offset }) => ({ code, record, offset })),
    fsck: [...errors, ...notes].map(({ code }) => code),
  };
}

const image = path.join(folder, 'every-record.img.gz');
const answer = path.join(folder, 'every-record.json');
beforeAll(() => {
  if (!process.env.UDAX_UPDATE) return;
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(image, gzipSync(made(), { level: 9 }));
  fs.writeFileSync(answer, `${JSON.stringify(described(made()), null, 1)}\n`);
});

it('what is written now is the golden annex, to the byte', () => {
  expect(Buffer.compare(gunzipSync(fs.readFileSync(image)), made())).toBe(0);
});

it('the golden annex makes the tree that it made', () => {
  expect(JSON.parse(JSON.stringify(described(gunzipSync(fs.readFileSync(image)))))).toEqual(
    JSON.parse(fs.readFileSync(answer, 'utf8')),
  );
});

it('the structs have these sizes and offsets', () => {
  const offsets = (fields: Record<string, { offset: number }>) =>
    Object.fromEntries(Object.entries(fields).map(([name, { offset }]) => [name, offset]));
  expect([annexHeaderLayout.size, offsets(annexHeaderLayout.fields)]).toEqual([
    4096,
    {
      magic: 0,
      version: 8,
      number: 12,
      uuid: 16,
      slots: 32,
      first: 40,
      crc: 48,
      nextSeqnum: 64,
      nextIndex: 72,
    },
  ]);
  expect([annexRecordLayout.size, offsets(annexRecordLayout.fields)]).toEqual([
    104,
    {
      crc: 0,
      seqnum: 8,
      base: 16,
      type: 24,
      slots: 28,
      ino: 32,
      directory: 40,
      other: 48,
      newDirectory: 56,
      mode: 64,
      uid: 68,
      gid: 72,
      flags: 76,
      seconds: 80,
      nanoseconds: 88,
      nameLength: 92,
      newNameLength: 96,
      valueLength: 100,
    },
  ]);
});
