import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FuseFileSystem, fillDirectory } from '../../src/fuse/index.js';
import { entry, entryBytes, header } from './support/replies.js';
import { bytesOf, request, Wire } from './support/wire.js';

describe('directories', () => {
  const items = [
    { name: '.', inode: 1, type: 0o040000 },
    { name: 'file', inode: 12, type: 0o100000 },
  ];
  const list = (opcode: number, offset: bigint, size: number) =>
    request(
      opcode,
      4n,
      1n,
      ['u64', 3n],
      ['u64', offset],
      ['u32', size],
      ['u32', 0],
      ['u64', 0n],
      ['u64', 0n],
    );
  const fileSystem: Partial<FuseFileSystem> = {
    readdir: (_node, _handle, offset, answer) => fillDirectory(answer, items, offset, () => entry),
  };

  it('READDIR gives names, types and offsets, padded to 8 bytes', () => {
    expect(new Wire(fileSystem).send(list(28, 0n, 4096))).toEqual(
      bytesOf(
        ...header(80, 0, 4n),
        ['u64', 1n], // inode
        ['u64', 1n], // next
        ['u32', 1], // namelen
        ['u32', 4], // DT_DIR
        ['text', '.\0\0\0\0\0\0\0'],
        ['u64', 12n],
        ['u64', 2n],
        ['u32', 4],
        ['u32', 8], // DT_REG
        ['text', 'file\0\0\0\0'],
      ),
    );
  });

  it('READDIRPLUS puts the entry before each name, and nothing before dot', () => {
    expect(new Wire(fileSystem).send(list(44, 0n, 4096))).toEqual(
      bytesOf(
        ...header(16 + 2 * 160, 0, 4n),
        ...Array.from({ length: 16 }, () => ['u64', 0n] as const),
        ['u64', 1n],
        ['u64', 1n],
        ['u32', 1],
        ['u32', 4],
        ['text', '.\0\0\0\0\0\0\0'],
        ...entryBytes,
        ['u64', 12n],
        ['u64', 2n],
        ['u32', 4],
        ['u32', 8],
        ['text', 'file\0\0\0\0'],
      ),
    );
  });

  it('going on at any offset, with any room, gives every name once and looks up only what is sent', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' }), { maxLength: 30 }),
        fc.integer({ min: 360, max: 2000 }),
        fc.boolean(),
        (names, room, plus) => {
          const usable = names.filter((name) => !/[\0/]/.test(name) && name !== '.' && name !== '..');
          const listing = usable.map((name, index) => ({ name, inode: index + 2, type: 0o100000 }));
          let lookups = 0;
          const wire = new Wire({
            readdir: (_node, _handle, offset, answer) =>
              fillDirectory(answer, listing, offset, () => {
                lookups += 1;
                return entry;
              }),
          });
          const seen: string[] = [];
          let offset = 0n;
          for (;;) {
            const reply = wire.send(list(plus ? 44 : 28, offset, room))!;
            expect(reply.length - 16).toBeLessThanOrEqual(room);
            const found = namesIn(reply, plus);
            if (found.length === 0) break;
            for (const { name, next } of found) {
              seen.push(name);
              offset = next;
            }
          }
          expect(seen).toEqual(usable);
          expect(lookups).toBe(plus ? usable.length : 0);
        },
      ),
      { numRuns: 50 },
    );
  });
});

function namesIn(reply: Uint8Array, plus: boolean): { name: string; next: bigint }[] {
  const bytes = Buffer.from(reply);
  const found: { name: string; next: bigint }[] = [];
  const before = plus ? 128 : 0;
  for (let at = 16; at < bytes.length; ) {
    const length = bytes.readUInt32LE(at + before + 16);
    const start = at + before + 24;
    found.push({
      name: bytes.toString('utf8', start, start + length),
      next: bytes.readBigUInt64LE(at + before + 8),
    });
    at += Math.ceil((before + 24 + length) / 8) * 8;
  }
  return found;
}
