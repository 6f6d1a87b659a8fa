/** The on-media format of an arena (docs/arena.md): the header, and where each part of the file lies. */
import { crc32 } from 'node:zlib';
import { readStruct, struct, text, u32, u64, uuid, type Values, writeStruct } from '../famfs/media/struct.js';
import { fail } from '../libc/index.js';

const ARENA_MAGIC = 'UDAXARNA';
const ARENA_VERSION = 1;
/** Bytes of the header's area. The parts of the hosts start behind it. */
export const HEADER_AREA = 4096;
export const PAGE = 4096;
const LINE = 64;
/** All metadata is one view, which V8 bounds. */
const MAX_METADATA_BYTES = 2 ** 32;

/** What a full arena does: refuse, or free objects that nobody pins (not lately read, or oldest). */
export type Eviction = 'none' | 'clock' | 'fifo';
export const EVICTIONS: readonly Eviction[] = ['none', 'clock', 'fifo'];

export const headerLayout = struct('arena header', 128, {
  magic: text(0, 8),
  version: u32(8),
  headerBytes: u32(12),
  uuid: uuid(16),
  fileBytes: u64(32),
  hosts: u32(40),
  membersPerHost: u32(44),
  pinsPerMember: u32(48),
  slotsPerHost: u32(52),
  slotBytes: u32(56),
  maxKeyBytes: u32(60),
  bucketsPerHost: u32(64),
  alignBytes: u32(68),
  partBytes: u64(72),
  heapOffset: u64(80),
  heapBytesPerHost: u64(88),
  eviction: u32(96),
  leaseMs: u32(100),
  seedA: u32(104),
  seedB: u32(108),
  /** crc32 of the 112 bytes before it. Nothing before it ever changes. */
  crc: u32(112),
});
export type Header = Values<typeof headerLayout>;
const CRC_COVERS = headerLayout.fields.crc.offset;

/** Words of the control page of a host's part. Lines (16 words) that other hosts read are apart from those they do not. */
export const CONTROL = {
  /** Line 0: who owns the part. 4 words: the boot id of its kernel. */
  owner: 0,
  epoch: 4,
  state: 5,
  /** Line 1: counts up while the owner lives. */
  heartbeat: 16,
  /** Line 2: its first byte is the writers' lock; not 0 while a writer changes the part. */
  dirty: 32,
  /** Line 3: what readers look at. */
  clockEpoch: 48,
  membersHigh: 49,
  /** From line 4 on: only for writers of this host. All of it can be rebuilt from the slots. */
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
} as const;
const CONTROL_BYTES = 4096;

export const PART_STATE = { never: 0, owned: 1, released: 2 } as const;

/** Words of a member's record; its pins follow it. The first byte is locked for as long as the member lives. */
export const MEMBER = {
  state: 0,
  pid: 1,
  startLow: 2,
  startHigh: 3,
  pinHigh: 4,
  incarnation: 5,
  pins: 16,
} as const;

/** Words of a bucket of the index: one line. */
export const BUCKET = { words: 16, overflow: 0, tags: 2, entries: 9, size: 7 } as const;

/** Words of a slot. Those before `block` never change while the slot is committed; the key follows at `key`. */
export const SLOT = {
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
} as const;
const SLOT_HEADER_BYTES = 80;

/** The low 3 bits of a slot's state word; the other 29 are the low bits of its generation. */
export const KIND = { free: 0, reserved: 1, committed: 2, dead: 3, tombstone: 4 } as const;
export const KIND_MASK = 7;

/** Words of a descriptor of a piece of the heap, used or free. Number 0 is none. */
export const BLOCK = {
  words: 8,
  unit: 0,
  units: 1,
  before: 2,
  behind: 3,
  slot: 4,
  freeBefore: 5,
  freeBehind: 6,
} as const;

/** Where everything lies. Words count from the start of the file; offsets in a part from its start. */
export interface Geometry extends Header {
  policy: Eviction;
  alignShift: number;
  slotWords: number;
  partWords: number;
  memberWords: number;
  /** In a part. */
  memberWord: number;
  touchByte: number;
  indexWord: number;
  slotWord: number;
  blockWord: number;
  blocksPerHost: number;
  unitsPerHost: number;
}

export interface Shape {
  fileBytes: number;
  hosts: number;
  membersPerHost: number;
  pinsPerMember: number;
  slotsPerHost: number;
  maxKeyBytes: number;
  alignBytes: number;
}

const up = (value: number, to: number) => Math.ceil(value / to) * to;

function bucketsFor(slots: number): number {
  // At most half of the entries are used: a lookup ends in its first bucket but for one in forty.
  let buckets = 1;
  while (buckets * BUCKET.size < slots * 2) buckets *= 2;
  return buckets;
}

/** Computes where everything lies; all of it follows from the shape. Null when the file has no room for it. */
export function placesOf(shape: Shape) {
  const { hosts, slotsPerHost, alignBytes } = shape;
  const slotBytes = up(SLOT_HEADER_BYTES + shape.maxKeyBytes, LINE);
  const memberBytes = LINE + up(shape.pinsPerMember * 4, LINE);
  const bucketsPerHost = bucketsFor(slotsPerHost);
  const blocksPerHost = 2 * slotsPerHost + 2;
  const touchByte = CONTROL_BYTES + shape.membersPerHost * memberBytes;
  const indexByte = touchByte + up(hosts * slotsPerHost, LINE);
  const slotByte = indexByte + bucketsPerHost * BUCKET.words * 4;
  const blockByte = slotByte + slotsPerHost * slotBytes;
  const partBytes = up(blockByte + blocksPerHost * BLOCK.words * 4, PAGE);
  const heapOffset = up(HEADER_AREA + hosts * partBytes, Math.max(alignBytes, PAGE));
  const heapBytesPerHost = Math.max(
    0,
    Math.floor((shape.fileBytes - heapOffset) / hosts / alignBytes) * alignBytes,
  );
  return {
    slotBytes,
    bucketsPerHost,
    partBytes,
    heapOffset,
    heapBytesPerHost,
    alignShift: 31 - Math.clz32(alignBytes),
    slotWords: slotBytes / 4,
    partWords: partBytes / 4,
    memberWords: memberBytes / 4,
    memberWord: CONTROL_BYTES / 4,
    touchByte,
    indexWord: indexByte / 4,
    slotWord: slotByte / 4,
    blockWord: blockByte / 4,
    blocksPerHost,
    unitsPerHost: heapBytesPerHost / alignBytes,
  };
}

/** Checks a shape for createArena(), and finds its geometry. @throws DaxError EINVAL, ERANGE, ENOSPC */
export function shapeFaults(shape: Shape): { code: 'EINVAL' | 'ERANGE' | 'ENOSPC'; why: string } | undefined {
  const within = (name: keyof Shape, low: number, high: number) =>
    Number.isSafeInteger(shape[name]) && shape[name] >= low && shape[name] <= high
      ? undefined
      : { code: 'EINVAL' as const, why: `${name} is ${shape[name]}: ${low} to ${high}` };
  const fault =
    within('hosts', 1, 64) ??
    within('membersPerHost', 1, 65_536) ??
    within('pinsPerMember', 1, 2 ** 20) ??
    within('slotsPerHost', 1, 2 ** 26) ??
    within('maxKeyBytes', 1, 255) ??
    within('alignBytes', 64, 2 ** 30) ??
    within('fileBytes', 1, Number.MAX_SAFE_INTEGER);
  if (fault) return fault;
  if (2 ** (31 - Math.clz32(shape.alignBytes)) !== shape.alignBytes)
    return { code: 'EINVAL', why: `alignBytes is ${shape.alignBytes}: a power of two` };
  const places = placesOf(shape);
  if (places.heapOffset > MAX_METADATA_BYTES || shape.hosts * shape.slotsPerHost >= 2 ** 32 - 1)
    return {
      code: 'ERANGE',
      why: `${shape.slotsPerHost} slots for each of ${shape.hosts} hosts need ${places.heapOffset} bytes: at most 4 GiB`,
    };
  if (places.unitsPerHost >= 2 ** 32)
    return {
      code: 'ERANGE',
      why: `a host's part has more than 2^32 pieces of ${shape.alignBytes} bytes: choose a larger alignment`,
    };
  if (places.unitsPerHost < 1)
    return {
      code: 'ENOSPC',
      why: `${shape.fileBytes} bytes are less than the ${places.heapOffset} that its slots, members and hosts need: a larger size, or fewer slots`,
    };
  return undefined;
}

export function encodeHeader(
  shape: Shape,
  rest: { uuid: string; eviction: Eviction; leaseMs: number; seedA: number; seedB: number },
): Uint8Array {
  const { slotBytes, bucketsPerHost, partBytes, heapOffset, heapBytesPerHost } = placesOf(shape);
  const bytes = new Uint8Array(headerLayout.size);
  const view = new DataView(bytes.buffer);
  writeStruct(headerLayout, view, 0, {
    magic: ARENA_MAGIC,
    version: ARENA_VERSION,
    headerBytes: headerLayout.size,
    ...shape,
    slotBytes,
    bucketsPerHost,
    partBytes,
    heapOffset,
    heapBytesPerHost,
    ...rest,
    eviction: EVICTIONS.indexOf(rest.eviction),
  });
  view.setUint32(CRC_COVERS, crc32(bytes.subarray(0, CRC_COVERS)), true);
  return bytes;
}

/**
 * Decodes and checks a header. Each number in it must be the one that follows from the shape, so that no later access leaves its area.
 * @throws DaxError EINVAL no arena, EOPNOTSUPP another version, EBADMSG damaged
 */
export function decodeHeader(bytes: Uint8Array, path: string, fileBytes: number): Geometry {
  const details = { path };
  if (bytes.length < headerLayout.size)
    fail('EINVAL', `${path} is no arena: it has only ${fileBytes} bytes`, details);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (Buffer.from(bytes.subarray(0, 8)).toString('latin1') !== ARENA_MAGIC)
    fail(
      'EINVAL',
      `${path} is no arena: it has no magic at byte 0; make one with createArena(), or wait until it is made`,
      details,
    );
  const version = view.getUint32(headerLayout.fields.version.offset, true);
  if (version !== ARENA_VERSION)
    fail(
      'EOPNOTSUPP',
      `the arena ${path} has format version ${version}, this udax knows ${ARENA_VERSION}: use a udax that knows it`,
      details,
    );
  const damaged = (why: string): never =>
    fail('EBADMSG', `the header of the arena ${path} is damaged: ${why}`, details);
  if (view.getUint32(CRC_COVERS, true) !== crc32(bytes.subarray(0, CRC_COVERS)))
    damaged('its crc does not match');
  const header = readStruct(headerLayout, view, 0);
  const policy = EVICTIONS[header.eviction] ?? damaged(`eviction is ${header.eviction}`);
  const fault = shapeFaults(header);
  if (fault) damaged(fault.why);
  if (header.fileBytes !== fileBytes)
    damaged(`it is for ${header.fileBytes} bytes, the file has ${fileBytes}`);
  if (header.leaseMs < 1) damaged('leaseMs is 0');
  const places = placesOf(header);
  for (const name of ['slotBytes', 'bucketsPerHost', 'partBytes', 'heapOffset', 'heapBytesPerHost'] as const)
    if (header[name] !== places[name]) damaged(`${name} is ${header[name]}, want ${places[name]}`);
  return { ...header, ...places, policy };
}
