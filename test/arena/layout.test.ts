import { describe, expect, it } from 'vitest';
import { KeyBuffer } from '../../src/arena/key.js';
import {
  BLOCK,
  BUCKET,
  CONTROL,
  decodeHeader,
  encodeHeader,
  headerLayout,
  MEMBER,
  placesOf,
  SLOT,
} from '../../src/arena/layout.js';

const shape = {
  fileBytes: 2 ** 30,
  hosts: 2,
  membersPerHost: 64,
  pinsPerMember: 1024,
  slotsPerHost: 1000,
  maxKeyBytes: 255,
  alignBytes: 64,
};
const rest = {
  uuid: '11111111-2222-4333-8444-555555555555',
  eviction: 'clock' as const,
  leaseMs: 2000,
  seedA: 1,
  seedB: 2,
};

describe('the format of an arena', () => {
  it('has its fields at the offsets of docs/arena.md', () => {
    expect(headerLayout.size).toBe(128);
    expect(
      Object.fromEntries(Object.entries(headerLayout.fields).map(([name, { offset }]) => [name, offset])),
    ).toEqual({
      magic: 0,
      version: 8,
      headerBytes: 12,
      uuid: 16,
      fileBytes: 32,
      hosts: 40,
      membersPerHost: 44,
      pinsPerMember: 48,
      slotsPerHost: 52,
      slotBytes: 56,
      maxKeyBytes: 60,
      bucketsPerHost: 64,
      alignBytes: 68,
      partBytes: 72,
      heapOffset: 80,
      heapBytesPerHost: 88,
      eviction: 96,
      leaseMs: 100,
      seedA: 104,
      seedB: 108,
      crc: 112,
    });
    expect(CONTROL).toEqual({
      owner: 0,
      epoch: 4,
      state: 5,
      heartbeat: 16,
      dirty: 32,
      clockEpoch: 48,
      membersHigh: 49,
      freeSlot: 64,
      slotHigh: 65,
      committed: 66,
      orderHead: 67,
      orderTail: 68,
      sequence: 69,
      limboHead: 70,
      freeBlock: 71,
      blockHigh: 72,
      usedUnits: 73,
      reservedUnits: 74,
      limboUnits: 75,
      reserved: 76,
      limbo: 77,
      tombstones: 78,
      clockSteps: 79,
      nextExpiryLow: 80,
      nextExpiryHigh: 81,
      puts: 82,
      deletes: 83,
      evictions: 84,
      expirations: 85,
      firstLevel: 88,
      secondLevel: 96,
      freeLists: 128,
    });
    expect(MEMBER).toEqual({
      state: 0,
      pid: 1,
      startLow: 2,
      startHigh: 3,
      pinHigh: 4,
      incarnation: 5,
      pins: 16,
    });
    expect(BUCKET).toEqual({ words: 16, overflow: 0, tags: 2, entries: 9, size: 7 });
    expect(BLOCK).toEqual({
      words: 8,
      unit: 0,
      units: 1,
      before: 2,
      behind: 3,
      slot: 4,
      freeBefore: 5,
      freeBehind: 6,
    });
    expect(SLOT).toEqual({
      state: 0,
      generationHigh: 1,
      hashA: 2,
      hashB: 3,
      unit: 4,
      lengthLow: 5,
      lengthHigh: 6,
      keyBytes: 7,
      expiryLow: 8,
      expiryHigh: 9,
      version: 10,
      check: 11,
      block: 12,
      next: 13,
      previous: 14,
      sequence: 15,
      member: 16,
      incarnation: 17,
      epoch: 18,
      key: 20,
    });
  });

  it('puts the areas one behind the other', () => {
    expect(placesOf(shape)).toMatchObject({
      slotBytes: 384,
      bucketsPerHost: 512,
      touchByte: 4096 + 64 * 4160,
      indexWord: (4096 + 64 * 4160 + 2048) / 4,
      slotWord: (4096 + 64 * 4160 + 2048 + 512 * 64) / 4,
      blockWord: (4096 + 64 * 4160 + 2048 + 512 * 64 + 384_000) / 4,
      blocksPerHost: 2002,
      partBytes: 753_664,
      heapOffset: 4096 + 2 * 753_664,
      heapBytesPerHost: 536_115_200 - (536_115_200 % 64),
    });
  });

  it('round-trips its header, and refuses each changed byte of it', () => {
    const bytes = encodeHeader(shape, rest);
    expect(decodeHeader(bytes, '/kv', 2 ** 30)).toMatchObject({ ...shape, policy: 'clock', seedB: 2 });
    for (let at = 0; at < 116; at++) {
      const changed = bytes.slice();
      changed[at]! ^= 1;
      const code = at < 8 ? 'EINVAL' : at < 12 ? 'EOPNOTSUPP' : 'EBADMSG';
      expect(() => decodeHeader(changed, '/kv', 2 ** 30), `byte ${at}`).toThrow(
        expect.objectContaining({ code }),
      );
    }
    expect(() => decodeHeader(bytes, '/kv', 2 ** 29)).toThrow(expect.objectContaining({ code: 'EBADMSG' }));
  });

  it('hashes keys as docs/arena.md says: these values are in the format', () => {
    const key = new KeyBuffer('/kv', 255, 1, 2);
    const hashes = ['a', 'abcd', 'abcde', '\u00e4', new Uint8Array(32)].map((each) => {
      key.set(each);
      return [key.a, key.b];
    });
    // The same values stand in clients/python/tests/test_arena.py.
    expect(hashes).toEqual([
      [208844226, 1515927588],
      [3545085118, 3612163163],
      [350001191, 214982291],
      [559203429, 4005077597],
      [44273632, 681588399],
    ]);
  });
});
