import { describe, expect, it } from 'vitest';
import { type FileHandle, type FuseConnection, negativeEntry } from '../../src/fuse/index.js';
import { addressOf, fail } from '../../src/libc/index.js';
import { attributeBytes, entry, entryBytes, header } from './support/replies.js';
import { bytesOf, initRequest, request, Wire } from './support/wire.js';

describe('INIT', () => {
  it('answers the request of Linux 6.18 field by field', () => {
    let connection: FuseConnection | undefined;
    const wire = new Wire(
      {
        init: (settled) => {
          connection = settled;
        },
      },
      { initialized: false },
    );
    expect(wire.send(initRequest)).toEqual(
      bytesOf(
        ...header(80, 0, 2n),
        ['u32', 7], // major
        ['u32', 45], // minor
        ['u32', 131072], // max_readahead
        ['u32', 0x43e6e021], // flags
        ['u16', 64], // max_background
        ['u16', 48], // congestion_threshold
        ['u32', 1 << 20], // max_write
        ['u32', 1], // time_gran
        ['u16', 256], // max_pages
        ['u16', 0], // map_alignment
        ['u32', 0x18], // flags2: HAS_EXPIRE_ONLY, DIRECT_IO_ALLOW_MMAP
        ['u32', 0], // max_stack_depth
        ['u16', 0], // request_timeout
        ...Array.from({ length: 11 }, () => ['u16', 0] as const), // unused
      ),
    );
    expect(connection).toMatchObject({ minor: 45, maxWriteBytes: 1 << 20 });
    expect(connection?.capabilities).toContain('DIRECT_IO_ALLOW_MMAP');
    expect(connection?.capabilities).not.toContain('WRITEBACK_CACHE');
  });

  it('takes the 16-byte form of older kernels, and their 32 pages', () => {
    const wire = new Wire({}, { initialized: false });
    wire.send(request(26, 2n, 0n, ['u32', 7], ['u32', 27], ['u32', 4096], ['u32', 0x1ff]));
    expect(wire.dispatcher.connection).toMatchObject({ minor: 27, maxWriteBytes: 131072 });
    expect(wire.dispatcher.connection?.capabilities).toEqual(['ASYNC_READ', 'BIG_WRITES']);
  });

  it('refuses a kernel that is too old with EPROTO', () => {
    const wire = new Wire({}, { initialized: false });
    const reply = wire.send(request(26, 2n, 0n, ['u32', 7], ['u32', 8], ['u32', 0], ['u32', 0]));
    expect(reply).toEqual(bytesOf(...header(16, -71, 2n)));
  });

  it('answers a newer major version with ours only', () => {
    const wire = new Wire({}, { initialized: false });
    const reply = wire.send(request(26, 2n, 0n, ['u32', 8], ['u32', 0], ['u32', 0], ['u32', 0]));
    expect(reply?.length).toBe(80);
    expect(reply?.subarray(16, 24)).toEqual(bytesOf(['u32', 7], ['u32', 0]));
    expect(wire.dispatcher.connection).toBeNull();
  });

  it('comes first: anything before it is EIO', () => {
    const wire = new Wire({ lookup: () => entry }, { initialized: false });
    expect(wire.send(request(1, 4n, 1n, ['text', 'a\0']))).toEqual(bytesOf(...header(16, -5, 4n)));
  });
});

describe('names', () => {
  it('LOOKUP gives the entry, field by field', () => {
    const asked: unknown[] = [];
    const wire = new Wire({
      lookup: (parent, name, { uid, gid, pid, unique }) => {
        asked.push([parent, name, uid, gid, pid, unique]);
        return entry;
      },
    });
    const reply = wire.send(request(1, 0x1_0000_0004n, 1n, ['text', 'caf\u00e9\0']));
    expect(reply).toEqual(bytesOf(...header(144, 0, 0x1_0000_0004n), ...entryBytes));
    expect(asked).toEqual([[1, 'caf\u00e9', 1000, 100, 77, 0x1_0000_0004]]);
  });

  it('LOOKUP of a name that is remembered as missing has node 0', () => {
    const wire = new Wire({ lookup: () => negativeEntry(2) });
    const reply = wire.send(request(1, 4n, 1n, ['text', 'a\0']));
    expect(reply?.subarray(16, 40)).toEqual(bytesOf(['u64', 0n], ['u64', 0n], ['u64', 2n]));
  });

  it('that are not UTF-8 are ENOENT to find and EILSEQ to make, and reach no handler', () => {
    const wire = new Wire({ lookup: () => entry, symlink: () => entry });
    const bad = new Uint8Array(Buffer.concat([request(1, 4n, 1n), Buffer.from([0xff, 0x41, 0])]));
    bad[0] = bad.length;
    expect(wire.send(bad)).toEqual(bytesOf(...header(16, -2, 4n)));
    bad[4] = 6; // SYMLINK
    expect(wire.send(bad)).toEqual(bytesOf(...header(16, -84, 4n)));
  });

  it('RENAME2 takes both names, the other parent and the flags', () => {
    const asked: unknown[] = [];
    const wire = new Wire({ rename: (...all) => void asked.push(all.slice(0, 5)) });
    const reply = wire.send(request(45, 4n, 1n, ['u64', 9n], ['u32', 1], ['u32', 0], ['text', 'old\0new\0']));
    expect(reply).toEqual(bytesOf(...header(16, 0, 4n)));
    expect(asked).toEqual([[1, 'old', 9, 'new', 1]]);
  });

  it('FORGET and BATCH_FORGET count down and are never answered', () => {
    const forgotten: number[][] = [];
    const wire = new Wire({ forget: (node, count) => void forgotten.push([node, count]) });
    expect(wire.send(request(2, 4n, 7n, ['u64', 3n]))).toBeNull();
    const two = request(
      42,
      6n,
      0n,
      ['u32', 2],
      ['u32', 0],
      ...([8n, 1n, 9n, 2n].map((word) => ['u64', word]) as ['u64', bigint][]),
    );
    expect(wire.send(two)).toBeNull();
    expect(forgotten).toEqual([
      [7, 3],
      [8, 1],
      [9, 2],
    ]);
  });

  it('a BATCH_FORGET that promises more than it holds touches nothing, and is reported', () => {
    const forgotten: number[] = [];
    const wire = new Wire({ forget: (node) => void forgotten.push(node) });
    expect(wire.send(request(42, 6n, 0n, ['u32', 5], ['u32', 0], ['u64', 8n], ['u64', 1n]))).toBeNull();
    expect(forgotten).toEqual([]);
    expect(wire.reports).toHaveLength(1);
  });
});

describe('attributes', () => {
  it('GETATTR gives attr_valid and the attributes, and knows an open file by its handle', () => {
    const asked: unknown[] = [];
    const wire = new Wire({
      getattr: (node, handle) => {
        asked.push([node, handle]);
        return { attributes: entry.attributes, attributeSeconds: 0.25 };
      },
    });
    const reply = wire.send(request(3, 4n, 5n, ['u32', 1], ['u32', 0], ['u64', 42n]));
    expect(reply).toEqual(
      bytesOf(...header(120, 0, 4n), ['u64', 0n], ['u32', 250_000_000], ['u32', 0], ...attributeBytes),
    );
    expect(asked).toEqual([[5, 42]]);
  });

  it('SETATTR hands on only what is valid', () => {
    const changes: unknown[] = [];
    const wire = new Wire({
      setattr: (_node, change) => {
        changes.push(change);
        return { attributes: entry.attributes, attributeSeconds: 1 };
      },
    });
    const body = (valid: number) =>
      request(
        4,
        4n,
        5n,
        ['u32', valid],
        ['u32', 0],
        ['u64', 3n], // fh
        ['u64', 1000n], // size
        ['u64', 0n], // lock_owner
        ['u64', 11n], // atime
        ['u64', 0xffffffffffffffffn], // mtime: one second before 1970
        ['u64', 13n], // ctime
        ['u32', 21],
        ['u32', 22],
        ['u32', 23],
        ['u32', 0o100600], // mode
        ['u32', 0],
        ['u32', 501], // uid
        ['u32', 502], // gid
        ['u32', 0],
      );
    wire.send(body(1));
    wire.send(body((1 << 3) | (1 << 6)));
    wire.send(body((1 << 4) | (1 << 5) | (1 << 7)));
    expect(changes).toEqual([
      { mode: 0o100600 },
      { size: 1000, handle: 3 },
      { atime: 'now', mtime: { seconds: -1, nanoseconds: 22 } },
    ]);
  });

  it('GETXATTR answers the size when asked for it, the value when it fits, else ERANGE', () => {
    const wire = new Wire({ getxattr: () => Buffer.from('abc') });
    const ask = (room: number) =>
      wire.send(request(22, 4n, 5n, ['u32', room], ['u32', 0], ['text', 'user.a\0']));
    expect(ask(0)).toEqual(bytesOf(...header(24, 0, 4n), ['u32', 3], ['u32', 0]));
    expect(ask(3)).toEqual(bytesOf(...header(19, 0, 4n), ['text', 'abc']));
    expect(ask(2)).toEqual(bytesOf(...header(16, -34, 4n)));
  });

  it('STATFS gives the volume, or zeroes when the file system says nothing', () => {
    expect(new Wire({}).send(request(17, 4n, 1n))?.length).toBe(96);
  });
});

describe('files', () => {
  const opened = { handle: 3 as FileHandle, keepCache: true, directIo: true };
  const read = (size: number, offset = 0n) =>
    request(15, 4n, 5n, ['u64', 3n], ['u64', offset], ['u32', size], ['u32', 0], ['u64', 0n], ['u64', 0n]);

  it('OPEN gives the handle and its flags', () => {
    const wire = new Wire({ open: () => opened });
    expect(wire.send(request(14, 4n, 5n, ['u32', 2], ['u32', 0]))).toEqual(
      bytesOf(...header(32, 0, 4n), ['u64', 3n], ['u32', 3], ['i32', 0]),
    );
  });

  it('READ sends memory from where it lies, in order, cut at what was asked for', () => {
    const memory = new Uint8Array(new ArrayBuffer(8192)).map((_, index) => index % 251);
    const wire = new Wire({
      read: (_node, _handle, offset, _length, answer) => {
        answer.addMemory(addressOf(memory.buffer) + offset, 10);
        answer.addBytes(Buffer.from('tail'));
        answer.addMemory(addressOf(memory.buffer), 8192);
      },
    });
    const reply = wire.send(read(20, 100n));
    const expected = Buffer.concat([memory.subarray(100, 110), Buffer.from('tail'), memory.subarray(0, 6)]);
    expect(reply?.subarray(0, 16)).toEqual(bytesOf(...header(36, 0, 4n)));
    expect(Buffer.from(reply!.subarray(16))).toEqual(expected);
  });

  it('READ beyond 2^53 is the end of the file', () => {
    const wire = new Wire({ read: () => fail('EIO', 'must not be asked') });
    expect(wire.send(read(20, 2n ** 62n))).toEqual(bytesOf(...header(16, 0, 4n)));
  });

  it('a READ that fails after it added pieces sends the error alone', () => {
    const wire = new Wire({
      read: (_node, _handle, _offset, _length, answer) => {
        answer.addBytes(new Uint8Array(5000));
        fail('EHWPOISON', 'bad memory');
      },
    });
    expect(wire.send(read(8192))).toEqual(bytesOf(...header(16, -133, 4n)));
  });

  it('WRITE hands over the data and answers how much was taken', () => {
    const written: unknown[] = [];
    const wire = new Wire({
      write: (node, handle, offset, data) => {
        written.push([node, handle, offset, Buffer.from(data).toString()]);
        return data.length;
      },
    });
    const message = request(
      16,
      4n,
      5n,
      ['u64', 3n],
      ['u64', 4096n],
      ['u32', 5],
      ['u32', 0],
      ['u64', 2n ** 63n], // lock_owner: any 64 bits
      ['u64', 0n],
      ['text', 'hello'],
    );
    expect(wire.send(message)).toEqual(bytesOf(...header(24, 0, 4n), ['u32', 5], ['u32', 0]));
    expect(written).toEqual([[5, 3, 4096, 'hello']]);
    const short = message.slice(0, message.length - 1);
    short[0] = short.length;
    expect(wire.send(short)).toEqual(bytesOf(...header(16, -22, 4n)));
    expect(written).toHaveLength(1);
  });
});
