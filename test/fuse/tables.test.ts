import { describe, expect, it } from 'vitest';
import {
  decodeDevice,
  encodeDevice,
  HandleTable,
  InodeTable,
  parseMountInfo,
  ROOT_NODE,
  timestampOf,
} from '../../src/fuse/index.js';
import {
  encodeDelete,
  encodeInvalEntry,
  encodeInvalInode,
  printReply,
} from '../../src/fuse/protocol/index.js';
import { bytesOf } from './support/wire.js';

describe('the inode table', () => {
  it('keeps an inode from its first lookup until as many were forgotten, and never uses an id twice', () => {
    const table = new InodeTable('root');
    const first = table.remember('a');
    expect(table.remember('a')).toBe(first);
    expect(table.lookupsOf(first)).toBe(2);
    expect(table.forget(first, 1)).toBeUndefined();
    expect(table.get(first)).toBe('a');
    expect(table.forget(first, 1)).toBe('a');
    expect(table.nodeOf('a')).toBeUndefined();
    expect(() => table.get(first)).toThrow(expect.objectContaining({ code: 'ESTALE' }));
    expect(table.remember('a')).not.toBe(first);
  });

  it('never forgets root', () => {
    const table = new InodeTable('root');
    table.forget(ROOT_NODE, 1000);
    expect(table.get(ROOT_NODE)).toBe('root');
  });
});

describe('the handle table', () => {
  it('is EBADF for what is not open', () => {
    const table = new HandleTable<string>();
    const handle = table.open('a');
    expect(table.get(handle)).toBe('a');
    expect(table.close(handle)).toBe('a');
    expect(() => table.get(handle)).toThrow(expect.objectContaining({ code: 'EBADF' }));
  });
});

describe('device numbers', () => {
  it('come back as they went in, in the layout of the wire', () => {
    expect(encodeDevice(1, 3)).toBe(0x103);
    expect(encodeDevice(252, 0x12345)).toBe(0x1230fc45);
    expect(decodeDevice(encodeDevice(252, 0x12345))).toEqual({ major: 252, minor: 0x12345 });
  });
});

describe('notifications', () => {
  it('INVAL_INODE is 40 bytes with its code where an answer has its error', () => {
    expect(encodeInvalInode(5, 4096, 0)).toEqual(
      bytesOf(['u32', 40], ['i32', 2], ['u64', 0n], ['u64', 5n], ['u64', 4096n], ['u64', 0n]),
    );
    expect(encodeInvalInode(5, -1, 0).subarray(24, 32)).toEqual(new Uint8Array(8).fill(255));
  });

  it('INVAL_ENTRY and DELETE carry the name with its zero, counted without', () => {
    const entry = encodeInvalEntry(1, 'ab', true);
    expect(entry).toEqual(
      bytesOf(['u32', 35], ['i32', 3], ['u64', 0n], ['u64', 1n], ['u32', 2], ['u32', 1], ['text', 'ab\0']),
    );
    expect(printReply(entry)).toBe('<- notify INVAL_ENTRY {parent=1 nameLength=2 flags=[EXPIRE_ONLY]} "ab"');
    expect(encodeDelete(1, 5, 'ab').length).toBe(16 + 24 + 3);
  });
});

describe('mountinfo', () => {
  it('is parsed with its escapes, options and optional fields', () => {
    const line =
      '98 32 0:47 / /mnt/a\\040b\\303\\251 ro,nosuid shared:1 master:2 - fuse.udax udax#1 rw,user_id=0';
    expect(parseMountInfo(`${line}\nnonsense\n`)).toEqual([
      {
        mountpoint: '/mnt/a b\u00e9',
        source: 'udax#1',
        type: 'fuse.udax',
        connectionId: 47,
        device: '0:47',
        readOnly: true,
        options: ['ro', 'nosuid', 'rw', 'user_id=0'],
      },
    ]);
  });
});

describe('timestamps', () => {
  it('are whole seconds and what is left, before 1970 too', () => {
    expect(timestampOf(1500)).toEqual({ seconds: 1, nanoseconds: 500_000_000 });
    expect(timestampOf(-500)).toEqual({ seconds: -1, nanoseconds: 500_000_000 });
  });
});
