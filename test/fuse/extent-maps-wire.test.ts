import { describe, expect, it } from 'vitest';
import type { FileHandle, FuseBackings, FuseFileSystem } from '../../src/fuse/index.js';
import {
  encodeBackingCreate,
  encodeBackingMap,
  encodeBackingRemove,
  negotiate,
  printBackingCreate,
  printReply,
} from '../../src/fuse/protocol/index.js';
import { initOfMaps } from '../mounts/zero-copy/requests.js';
import { entry, entryBytes, header } from './support/replies.js';
import { bytesOf, initRequest, request, Wire } from './support/wire.js';

const DEVICE = 0xda00000000000001n;
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const offer = { major: 7, minor: 47, maxReadaheadBytes: 131072, flags: 0x73fffffb, flags2: 0x25fd };

describe('messages of extent maps', () => {
  it('BACKING_CREATE, BACKING_MAP and BACKING_REMOVE have the recorded bytes', () => {
    expect(hex(encodeBackingCreate(4, DEVICE))).toBe(
      '04000000000000000100' + '0000000000da' + '00000000000000000000000000000000',
    );
    const extents = [{ offset: 0, length: 4 * 2 ** 20, address: 2 * 2 ** 20 }];
    expect(hex(encodeBackingMap(100n, DEVICE, extents))).toBe(
      '600000000b0000000000000000000000' +
        '64000000000000000100000001000000' +
        '0'.repeat(32) +
        '00000000000000000000400000000000' +
        '01000000000000da0000200000000000' +
        '0'.repeat(32),
    );
    expect(hex(encodeBackingRemove(1n))).toBe(
      '200000000a000000000000000000000001000000000000000000000000000000',
    );
  });

  it('one message holds 1365 extents, and no map is empty', () => {
    const extents = (count: number) =>
      Array.from({ length: count }, (_, at) => ({ offset: at * 4096, length: 4096, address: at * 8192 }));
    expect(encodeBackingMap(1n, DEVICE, extents(1365)).length).toBe(65568);
    for (const count of [0, 1366])
      expect(() => encodeBackingMap(1n, DEVICE, extents(count))).toThrow(
        expect.objectContaining({ code: 'EINVAL' }),
      );
  });

  it('are printed, each in one line', () => {
    const extents = [{ offset: 0, length: 4096, address: 8192 }];
    expect(printReply(encodeBackingMap(7n, DEVICE, extents))).toBe(
      '<- notify BACKING_MAP {backingId=7 extentCount=1 flags=[CREATE]} ' +
        '{offset=0 length=4096 backingId=15708555500268290049 address=8192}',
    );
    expect(printReply(encodeBackingRemove(7n))).toBe('<- notify BACKING_REMOVE {backingId=7}');
    expect(printBackingCreate(encodeBackingCreate(4, 1n), 16)).toBe(
      '<- ioctl BACKING_CREATE {fd=4 backingId=1} EBUSY',
    );
  });
});

describe('INIT with extent maps', () => {
  it('asks for PASSTHROUGH_V2 alone, with stack depth 1 and minor 47', () => {
    const answer = negotiate(offer, { extentMaps: true, passthrough: true });
    expect(answer).toMatchObject({ minor: 47, maxStackDepth: 1 });
    expect(answer.flags2 & (1 << 13)).toBe(1 << 13);
    expect(answer.capabilities).not.toContain('PASSTHROUGH');
    expect(answer.capabilities).not.toContain('WRITEBACK_CACHE');
    expect(answer.capabilities).not.toContain('ATOMIC_O_TRUNC');
  });

  it('never beside ATOMIC_O_TRUNC, after which the kernel would cut mapped files by itself', () => {
    expect(() => negotiate(offer, { extentMaps: true, atomicTruncate: true })).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    );
  });

  it('on an older kernel is the answer that a mount without them gives, byte for byte', () => {
    const answers = [{ extentMaps: true }, {}].map((connection) =>
      new Wire({}, { initialized: false, connection }).send(initRequest),
    );
    expect(answers[0]).toEqual(answers[1]);
    const without = new Wire({}, { initialized: false }).send(initOfMaps)!;
    expect(new DataView(without.buffer).getUint32(20, true)).toBe(45);
  });
});

describe('what a file system says of a mapped file', () => {
  const opened = { handle: 2 as FileHandle, map: 100 };
  const dax = { ...entry, attributes: { ...entry.attributes, isDax: true } };

  it('OPEN has 24 bytes with PASSTHROUGH and the id; other opens keep their 16', () => {
    const wire = new Wire({ open: (node) => (node === 2 ? opened : { handle: 3 as FileHandle }) });
    const open = (node: bigint) => wire.send(request(14, 6n, node, ['u32', 0], ['u32', 0]))!;
    expect(hex(open(2n))).toBe(
      '28000000000000000600000000000000' + '02000000000000008000000000000000' + '6400000000000000',
    );
    expect(open(3n).length).toBe(32);
  });

  it('CREATE has the entry and the long form', () => {
    const wire = new Wire({ create: () => ({ entry, opened }) });
    const words = [0, 0, 0, 0].map((word) => ['u32', word] as const);
    const reply = wire.send(request(35, 6n, 1n, ...words, ['text', 'a\0']))!;
    expect(reply.length).toBe(168);
    expect(hex(reply.subarray(144))).toBe('02000000000000008000000000000000' + '6400000000000000');
  });

  it('FUSE_ATTR_DAX is bit 1 of the flags at the end of the attributes', () => {
    const reply = new Wire({ lookup: () => dax }).send(request(1, 4n, 1n, ['text', 'a\0']))!;
    const plain = bytesOf(...header(144, 0, 4n), ...entryBytes);
    const different = [...reply.keys()].filter((at) => reply[at] !== plain[at]);
    expect(different).toEqual([16 + 40 + 84]);
    expect(reply[140]).toBe(2);
  });
});

describe('the moment to create backings', () => {
  const backings = {} as FuseBackings;
  const start = (fileSystem: Partial<FuseFileSystem>, failures: unknown[] = []) =>
    new Wire(fileSystem, {
      initialized: false,
      connection: { extentMaps: true },
      backings,
      onInitFailure: (error) => failures.push(error),
    });

  it('is after the answer to INIT, and before any other request', () => {
    const calls: unknown[] = [];
    const wire = start({
      init: () => void calls.push('init'),
      started: (given) => void calls.push(given === backings),
      lookup: () => {
        calls.push('lookup');
        return entry;
      },
    });
    wire.send(initOfMaps);
    expect(calls).toEqual(['init', true]);
    wire.send(request(1, 4n, 1n, ['text', 'a\0']));
    expect(calls).toEqual(['init', true, 'lookup']);
  });

  it('fails the start of the mount when the kernel refuses the device', () => {
    const failures: unknown[] = [];
    const refusal = new Error('refused');
    const wire = start(
      {
        started: () => {
          throw refusal;
        },
      },
      failures,
    );
    wire.send(initOfMaps);
    expect(failures).toEqual([refusal]);
  });
});
