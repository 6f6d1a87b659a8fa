// An annex may be torn, of another volume, or say what cannot be. It is told by record and byte, the rest of the tree is served, and
// nothing is thrown into a reader.

import fs from 'node:fs';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deviceMedia } from '../../../src/famfs/index.js';
import { AnnexAppender } from '../../../src/famfs/media/annex-append.js';
import { AnnexFile, recordSeed } from '../../../src/famfs/media/annex-file.js';
import { ANNEX_HEADER_BYTES, annexRecordLayout } from '../../../src/famfs/media/annex-layout.js';
import { type AnnexChange, encodeRecordOf } from '../../../src/famfs/media/annex-record.js';
import type { Volume } from '../../../src/famfs/volume/index.js';
import { Pool } from '../volume/support.js';

let pool: Pool;
let volume: Volume;
/** Device offset of the annex. */
let at: number;
beforeEach(() => {
  pool = new Pool();
  volume = pool.mount();
  volume.mkdir('/d');
  volume.mkdir('/d/e');
  volume.create('/a', { size: 10 }).close();
  volume.create('/gone', { size: 10 }).close();
  volume.unlink('/gone');
  at = pool.mount({ plain: true, readOnly: true }).getmap('/.udax-annex').extents[0]!.offset;
});
afterEach(() => pool.close());

const when = { seconds: 1, nanoseconds: 2 };

/** Appends records as they are, as a host that follows no rule would. */
function append(
  ...changes: (
    | AnnexChange
    | { change: AnnexChange; base: number; uuid?: string; change2?: (bytes: Uint8Array) => void }
  )[]
): void {
  const { uuid } = volume.superblock;
  const media = deviceMedia(pool.machine());
  const file = AnnexFile.open(media, { ino: 6, number: 0, offset: at, length: 2 ** 21 }, uuid) as AnnexFile;
  const appender = new AnnexAppender(file);
  for (const one of changes) {
    const { change, base, uuid: of = uuid, change2 } = 'change' in one ? one : { change: one, base: 5 };
    const record = encodeRecordOf(change, { seqnum: file.nextSeqnum(), base, when, seed: recordSeed(of!) });
    if (change2) {
      change2(record);
      const view = new DataView(record.buffer);
      view.setUint32(
        0,
        crc32(record.subarray(8, annexRecordLayout.size + lengthOf(view)), recordSeed(uuid)),
        true,
      );
    }
    appender.append(record, file.nextSeqnum(), file.nextIndex());
  }
  media.close();
}

function lengthOf(view: DataView): number {
  return view.getUint32(92, true) + view.getUint32(96, true) + view.getUint32(100, true);
}

function poke(offset: number, ...bytes: number[]): void {
  const fd = fs.openSync(pool.file, 'r+');
  fs.writeSync(fd, Buffer.from(bytes), 0, bytes.length, offset);
  fs.closeSync(fd);
}

/** Changes a byte, whatever it was. */
function flip(offset: number): void {
  const byte = Buffer.alloc(1);
  const fd = fs.openSync(pool.file, 'r');
  fs.readSync(fd, byte, 0, 1, offset);
  fs.closeSync(fd);
  poke(offset, byte[0]! ^ 0xff);
}

/** What a new reader sees, and what it is told. */
function seen(): { names: string[]; codes: string[] } {
  const reader = pool.mount({ role: 'client' });
  const names = [...reader.walk()].map(({ path }) => path);
  const codes = reader.problems.map(({ code }) => code);
  for (const problem of reader.problems) expect(problem.message).toMatch(/annex 0.*byte \d+|annex \d/);
  reader.close();
  return { names, codes };
}

const whole = ['/a', '/d', '/d/e'];

describe('a record that cannot be', () => {
  const root = { directory: 1 };
  const cases: [string, AnnexChange, string][] = [
    [
      'an inode that the log never had',
      { kind: 'bind', ino: 77, ...root, name: 'x', replaced: 0 },
      'annex-inode',
    ],
    [
      'an object of the annex that no record made',
      { kind: 'bind', ino: 2 ** 32 + 77, ...root, name: 'x', replaced: 0 },
      'annex-inode',
    ],
    [
      'a directory that is none',
      { kind: 'bind', ino: 4, directory: 4, name: 'x', replaced: 0 },
      'annex-directory',
    ],
    ['a second name of a directory', { kind: 'bind', ino: 2, ...root, name: 'x', replaced: 0 }, 'annex-link'],
    ['a name that is not there', { kind: 'unbind', ino: 4, ...root, name: 'x' }, 'annex-name'],
    ['a name that means something else', { kind: 'unbind', ino: 2, ...root, name: 'a' }, 'annex-name'],
    [
      'a directory in itself',
      { kind: 'rename', ino: 2, ...root, name: 'd', newDirectory: 3, newName: 'x', replaced: 0 },
      'annex-cycle',
    ],
    [
      'an exchange with what is above',
      { kind: 'exchange', ino: 3, directory: 2, name: 'e', newDirectory: 1, newName: 'd', other: 2 },
      'annex-cycle',
    ],
    [
      'a taken name',
      { kind: 'make', ...root, name: 'a', target: null, mode: 0, uid: 0, gid: 0, replaced: 0 },
      'annex-name',
    ],
    [
      '..',
      { kind: 'make', ...root, name: '..', target: 'a', mode: 0, uid: 0, gid: 0, replaced: 0 },
      'annex-name',
    ],
    ['.', { kind: 'bind', ino: 4, ...root, name: '.', replaced: 0 }, 'annex-name'],
    ['a slash', { kind: 'bind', ino: 4, ...root, name: '../../etc', replaced: 0 }, 'annex-name'],
    ['a NUL', { kind: 'bind', ino: 4, ...root, name: 'a\0b', replaced: 0 }, 'annex-name'],
    ['no name', { kind: 'bind', ino: 4, ...root, name: '', replaced: 0 }, 'annex-name'],
    [
      'an empty target',
      { kind: 'make', ...root, name: 'x', target: '', mode: 0, uid: 0, gid: 0, replaced: 0 },
      'annex-target',
    ],
    ['content of the annex', { kind: 'replace', ino: 4, content: 2 ** 32 }, 'annex-content'],
    ['content of a directory', { kind: 'replace', ino: 2, content: 4 }, 'annex-inode'],
    [
      'an attribute of the system',
      { kind: 'xattr', ino: 4, name: 'security.x', value: new Uint8Array(1) },
      'annex-xattr',
    ],
    ['times of nobody', { kind: 'times', ino: 99, mtime: when }, 'annex-inode'],
  ];
  it.each(cases)('%s is skipped and told, and those behind it count', (_what, change, code) => {
    append(change, {
      kind: 'make',
      directory: 1,
      name: 'behind',
      target: 'a',
      mode: 0,
      uid: 0,
      gid: 0,
      replaced: 0,
    });
    expect(seen()).toEqual({ names: ['/a', '/behind', '/d', '/d/e'], codes: [code] });
    expect(pool.fsck().join()).toContain(code);
    volume.refresh();
    volume.unlink('/behind'); // a writer goes on behind it
    expect(seen().names).toEqual(whole);
  });

  it('a base below that of the record before is skipped', () => {
    append({ change: { kind: 'bind', ino: 4, directory: 1, name: 'x', replaced: 0 }, base: 1 });
    expect(seen()).toEqual({ names: whole, codes: ['annex-base'] });
  });
});

describe('a record that fails its checks stops the reader, and the writer', () => {
  function stops(code: string): void {
    expect(seen()).toEqual({ names: whole, codes: [code] });
    expect(pool.fsck().join()).toContain(code);
    expect(() => volume.unlink('/a')).toThrow(expect.objectContaining({ code: 'EBADMSG' }));
    expect(() => volume.mkdir('/new')).toThrow(expect.objectContaining({ code: 'EBADMSG' }));
  }
  const bind: AnnexChange = { kind: 'bind', ino: 4, directory: 1, name: 'x', replaced: 0 };

  it('a torn record', () => {
    append(bind);
    poke(at + ANNEX_HEADER_BYTES + 128 + 104, 0);
    stops('annex-record-crc');
  });

  it('a record of another volume', () => {
    append({ change: bind, base: 5, uuid: '12345678-1234-4234-8234-123456789012' });
    stops('annex-record-crc');
  });

  it('a base beyond the log', () => {
    append({ change: bind, base: 6 });
    stops('annex-base');
  });

  it.each([0, 1, 3, 2 ** 31])('a span of %i slots', (slots) => {
    append({
      change: bind,
      base: 5,
      change2: (bytes) => new DataView(bytes.buffer).setUint32(28, slots, true),
    });
    stops('annex-span');
  });

  it('a number that is not the next', () => {
    append({ change: bind, base: 5, change2: (bytes) => new DataView(bytes.buffer).setUint32(8, 9, true) });
    stops('annex-seqnum');
  });

  it('next_index beyond the slots, and behind the records', () => {
    poke(at + 72, 0xff, 0xff, 0xff, 0xff);
    stops('annex-seqnum');
    poke(at + 72, 1, 0, 0, 0);
    expect(seen()).toEqual({ names: ['/a', '/d', '/d/e', '/gone'], codes: ['annex-span'] });
  });
});

describe('an annex whose header is wrong is not read', () => {
  it.each([
    ['magic', 0, 'annex-magic'],
    ['crc', 48, 'annex-crc'],
    ['slots', 32, 'annex-crc'],
    ['uuid', 16, 'annex-crc'],
  ])('%s', (_what, offset, code) => {
    flip(at + offset);
    expect(seen()).toEqual({ names: ['/a', '/d', '/d/e', '/gone'], codes: [code] });
    expect(pool.fsck().join()).toContain(code);
  });
});

it('a writer that died between the counters is a note, and the next writer repairs it', () => {
  poke(at + 64, 2);
  expect(pool.fsck()).toEqual([]);
  volume.unlink('/a');
  expect(seen()).toEqual({ names: ['/d', '/d/e'], codes: [] });
});

it('a file that C famfs adds under a name of the annex stays hidden, and is a note', () => {
  volume.symlink('d', '/link');
  const plain = pool.mount({ plain: true });
  plain.create('/link', { size: 5 }).close();
  expect(seen()).toEqual({ names: ['/a', '/d', '/d/e', '/link'], codes: [] });
  volume.refresh();
  expect(volume.lstat('/link').type).toBe('symlink');
  expect(pool.fsck()).toEqual([]);
  expect(() => plain.unlink('/a')).toThrow(expect.objectContaining({ code: 'EPERM' }));
});

it('who has a file open goes on with its bytes when it is removed, replaced or truncated', async () => {
  const bytes = new Uint8Array(10).fill(7);
  await volume.writeFile('/a', bytes);
  const open = volume.open('/a');
  const view = open.map();
  volume.truncate('/a', 3);
  volume.unlink('/a');
  volume.create('/a', { size: 4 }).close();
  expect([...view]).toEqual([...bytes]);
  const into = new Uint8Array(10);
  expect([open.read(into, 0), ...into]).toEqual([10, ...bytes]);
  open.close();
  expect(volume.stat('/a').size).toBe(4);
});
