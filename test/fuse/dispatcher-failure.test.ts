import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FileHandle, type FuseFileSystem, fillDirectory } from '../../src/fuse/index.js';
import { fail } from '../../src/libc/index.js';
import { Tally } from '../support/tally.js';
import { entry, header } from './support/replies.js';
import { bytesOf, request, Wire } from './support/wire.js';

describe('failure', () => {
  it('a DaxError is its errno, a bug is EIO and reported, an absent operation ENOSYS or EPERM', () => {
    const wire = new Wire({
      lookup: (_parent, name) => {
        if (name === 'bug') throw new TypeError('oops');
        return fail('ENAMETOOLONG', 'too long');
      },
    });
    expect(wire.send(request(1, 4n, 1n, ['text', 'a\0']))).toEqual(bytesOf(...header(16, -36, 4n)));
    expect(wire.reports).toHaveLength(0);
    expect(wire.send(request(1, 6n, 1n, ['text', 'bug\0']))).toEqual(bytesOf(...header(16, -5, 6n)));
    expect(wire.reports).toHaveLength(1);
    expect(wire.send(request(34, 8n, 1n, ['u32', 4], ['u32', 0]))).toEqual(bytesOf(...header(16, -38, 8n)));
    expect(wire.send(request(10, 8n, 1n, ['text', 'a\0']))).toEqual(bytesOf(...header(16, -1, 8n)));
    expect(wire.send(request(99, 8n, 1n))).toEqual(bytesOf(...header(16, -38, 8n)));
  });

  it('an INTERRUPT is never answered', () => {
    expect(new Wire({}).send(request(36, 5n, 0n, ['u64', 4n]))).toBeNull();
  });

  it('any bytes at all are answered once or not at all, and never crash', () => {
    const reads: Partial<FuseFileSystem> = {
      lookup: () => entry,
      getattr: () => ({ attributes: entry.attributes, attributeSeconds: 1 }),
      setattr: () => ({ attributes: entry.attributes, attributeSeconds: 1 }),
      setxattr: () => undefined,
      write: (_node, _handle, _offset, data) => data.length,
      read: (_node, _handle, _offset, length, answer) =>
        answer.addBytes(new Uint8Array(Math.min(length, 9000))),
      readdir: (_node, _handle, offset, answer) => fillDirectory(answer, [], offset),
    };
    const wire = new Wire(reads);
    const tally = new Tally();
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 60 }), fc.uint8Array({ maxLength: 300 }), (opcode, tail) => {
        const message = new Uint8Array(Buffer.concat([request(opcode, 4n, 1n), tail]));
        message[0] = message.length & 0xff;
        message[1] = message.length >> 8;
        const reply = wire.send(message);
        if (!tally.count('is answered', reply !== null) || reply === null) return;
        const view = new DataView(reply.buffer);
        expect(view.getUint32(0, true)).toBe(reply.length);
        expect(view.getBigUint64(8, true)).toBe(4n);
        tally.count('is done', view.getInt32(4, true) === 0);
        expect(view.getInt32(4, true)).toBeLessThanOrEqual(0);
      }),
      { numRuns: 500 },
    );
    tally.mustReach({ 'is answered': 0.3, 'is done': 0.005 });
  });

  it('a message whose length contradicts its header is EINVAL, a shorter one than a header no reply', () => {
    const wire = new Wire({ lookup: () => entry });
    const message = request(1, 4n, 1n, ['text', 'a\0']);
    message[0] = 60;
    expect(wire.send(message)).toEqual(bytesOf(...header(16, -22, 4n)));
    expect(wire.send(message.slice(0, 39))).toBeNull();
  });
});

describe('wirelog', () => {
  it('prints a request and its reply in one line each', () => {
    const wire = new Wire({
      lookup: () => entry,
      open: () => ({ handle: 3 as FileHandle, keepCache: true }),
      readdir: (_node, _handle, offset, answer) =>
        fillDirectory(answer, [{ name: 'file', inode: 12, type: 0o100000 }], offset, () => entry),
    });
    wire.lines.length = 0;
    wire.send(request(1, 4n, 1n, ['text', 'a\0']));
    wire.send(request(14, 6n, 5n, ['u32', 0o1002], ['u32', 0]));
    wire.send(
      request(44, 8n, 1n, ['u64', 3n], ['u64', 0n], ['u32', 4096], ['u32', 0], ['u64', 0n], ['u64', 0n]),
    );
    wire.send(request(10, 10n, 1n, ['text', 'gone\0']));
    wire.send(request(2, 12n, 5n, ['u64', 2n]));
    expect(wire.lines).toEqual([
      '-> #4 LOOKUP node=1 uid=1000 gid=100 pid=77 "a"',
      '<- #4 LOOKUP {nodeId=5 generation=0 entryValid=1 attributeValid=2147483647' +
        ' entryValidNanoseconds=500000000 attributeValidNanoseconds=0 attributes={inode=12 size=4097 blocks=9' +
        ' atime=1 mtime=3 ctime=-5 atimeNanoseconds=2 mtimeNanoseconds=4 ctimeNanoseconds=6 mode=0100644' +
        ' links=1 uid=10 gid=20 rdev=0 blockSize=4096 flags=[]}}',
      '-> #6 OPEN node=5 uid=1000 gid=100 pid=77 {flags=[RDWR|TRUNC] openFlags=[]}',
      '<- #6 OPEN {handle=3 openFlags=[KEEP_CACHE] backingId=0}',
      '-> #8 READDIRPLUS node=1 uid=1000 gid=100 pid=77' +
        ' {handle=3 offset=0 size=4096 readFlags=[] lockOwner=0 flags=[]}',
      '<- #8 READDIRPLUS 1 names: "file" node=5',
      '-> #10 UNLINK node=1 uid=1000 gid=100 pid=77 "gone"',
      '<- #10 UNLINK EPERM',
      '-> #12 FORGET node=5 uid=1000 gid=100 pid=77 {lookups=2}',
    ]);
  });

  it('names the capabilities of INIT', () => {
    const wire = new Wire({});
    expect(wire.lines[0]).toContain('PASSTHROUGH');
    expect(wire.lines[1]).toContain('DIRECT_IO_ALLOW_MMAP');
  });
});
