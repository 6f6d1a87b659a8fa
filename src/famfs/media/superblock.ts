/** Reads and checks the superblock (famfs-format.md 3), with the rules that udax adds for its numbers. */
import { crc32 } from 'node:zlib';
import { type ErrnoCode, type ErrorHint, fail, isU64 } from '../../libc/index.js';
import {
  FAMFS_ALLOC_UNIT,
  FAMFS_ALLOC_UNIT_SMALL,
  FAMFS_LOG_OFFSET,
  FAMFS_MIN_LOG_LENGTH,
  FAMFS_SUPER_MAGIC,
  FAMFS_VERSION,
  type Superblock,
  superblockLayout,
  UDAX_MAX_LOG_LENGTH,
} from './layout.js';
import type { Media } from './media.js';
import type { Problem } from './problem.js';
import { readStruct, unsafeNumbers } from './struct.js';

const { magic, version, crc, allocUnit, logOffset, logLength, deviceSize } = superblockLayout.fields;
export const SUPERBLOCK_SIZE = superblockLayout.size;

/** C's result: 0 valid, +1 another version, -1 anything else. */
export type SuperblockResult = 0 | 1 | -1;

/** "udrw": in the place of the magic while a rewrite puts its new log in place (rewrite-switch.ts). */
export const REWRITE_MAGIC = 0x7772_6475;

const errnoOfProblem: Record<string, ErrnoCode> = {
  'superblock-missing': 'EINVAL',
  'superblock-magic': 'EINVAL',
  'superblock-version': 'EOPNOTSUPP',
  'superblock-log-limit': 'EFBIG',
  'superblock-memory': 'EIO',
};

const nextSteps: Partial<Record<ErrnoCode, { step: string; hint?: ErrorHint }>> = {
  EINVAL: { step: 'if it should become one, mkfs() makes it', hint: 'mkfs' },
  EFBIG: { step: 'read it with the software that made it' },
  EIO: {
    step: 'fsck() tells what is left; copy that out of mountFamfs(device, { salvage: true }), then mkfs(device, { force: true })',
    hint: 'salvage',
  },
  EOPNOTSUPP: {
    step: 'read it with the version that made it, or make a new one over it with mkfs(device, { force: true })',
    hint: 'mkfs-force',
  },
};

const damagedSuperblock = { step: 'the superblock is damaged: fsck() tells more', hint: 'fsck' } as const;

/** Decodes the 200 bytes without a check of them. EBADMSG when a number is beyond 2^53. */
export function decodeSuperblock(bytes: Uint8Array): Superblock {
  return readStruct(superblockLayout, viewOf(bytes), 0);
}

/** The numbers of a superblock that are beyond 2^53. decodeSuperblock() refuses them. */
export function superblockNumberFaults(bytes: Uint8Array): Problem[] {
  return unsafeNumbers(superblockLayout, viewOf(bytes), 'superblock-number');
}

/** True when the magic is there, whatever else is wrong: the medium held a famfs. */
export function hasSuperblockMagic(bytes: Uint8Array): boolean {
  return isU64(viewOf(bytes), magic.offset, FAMFS_SUPER_MAGIC);
}

/** True while a rewrite puts its new log in place, or when it was cut short then. */
export function hasRewriteMagic(bytes: Uint8Array): boolean {
  return isU64(viewOf(bytes), magic.offset, REWRITE_MAGIC);
}

/**
 * Checks the superblock in C's order: magic, version, crc, allocation unit.
 * @returns the result and, unless it is 0, the problem that decided it
 */
export function checkSuperblock(bytes: Uint8Array | null): {
  result: SuperblockResult;
  problem: Problem | null;
} {
  if (bytes === null || bytes.byteLength < SUPERBLOCK_SIZE) {
    return bad(-1, 'superblock-missing', 'there is no superblock: the medium is shorter than one', 0);
  }
  const view = viewOf(bytes);
  if (hasRewriteMagic(bytes)) {
    const message =
      'a rewrite of the log was cut short (byte 0 says so), and what it left is damaged or not completed yet: ' +
      'mounting it as its master completes it';
    return bad(-1, 'superblock-rewrite', message, magic.offset);
  }
  if (!isU64(view, magic.offset, FAMFS_SUPER_MAGIC)) {
    return bad(-1, 'superblock-magic', 'no famfs magic at byte 0: this is not a famfs', magic.offset);
  }
  if (!isU64(view, version.offset, FAMFS_VERSION)) {
    const found = view.getBigUint64(version.offset, true);
    const message = `superblock version is ${found} at byte ${version.offset}, this software knows ${FAMFS_VERSION}`;
    return bad(1, 'superblock-version', message, version.offset);
  }
  const computed = crc32(bytes.subarray(0, crc.offset));
  if (!isU64(view, crc.offset, computed)) {
    const stored = view.getBigUint64(crc.offset, true).toString(16);
    const message = `superblock crc at byte ${crc.offset} is 0x${stored}, its bytes give 0x${computed.toString(16)}`;
    return bad(-1, 'superblock-crc', message, crc.offset);
  }
  const knownUnit =
    isU64(view, allocUnit.offset, FAMFS_ALLOC_UNIT) || isU64(view, allocUnit.offset, FAMFS_ALLOC_UNIT_SMALL);
  if (!knownUnit) {
    const found = view.getBigUint64(allocUnit.offset, true);
    const message = `allocation unit at byte ${allocUnit.offset} is ${found}, want ${FAMFS_ALLOC_UNIT} or ${FAMFS_ALLOC_UNIT_SMALL}`;
    return bad(-1, 'superblock-alloc-unit', message, allocUnit.offset);
  }
  return { result: 0, problem: null };
}

function bad(result: SuperblockResult, code: string, message: string, offset: number) {
  return { result, problem: { code, message, offset } };
}

/** Checks that the log fits the device, which C never compares. `mediaSize` is the real size of the medium, bytes. */
export function superblockFaults(superblock: Superblock, mediaSize: number): Problem[] {
  const problems: Problem[] = [];
  if (superblock.logOffset !== FAMFS_LOG_OFFSET) {
    const message = `log offset at byte ${logOffset.offset} is ${superblock.logOffset}, want ${FAMFS_LOG_OFFSET}`;
    problems.push({ code: 'superblock-log-offset', message, offset: logOffset.offset });
  }
  if (superblock.logLength < FAMFS_MIN_LOG_LENGTH || !isPowerOfTwo(superblock.logLength)) {
    const message = `log length at byte ${logLength.offset} is ${superblock.logLength}, want a power of two from ${FAMFS_MIN_LOG_LENGTH} up`;
    problems.push({ code: 'superblock-log-length', message, offset: logLength.offset });
  }
  if (superblock.logLength > UDAX_MAX_LOG_LENGTH) {
    const message = `log length at byte ${logLength.offset} is ${superblock.logLength}, udax can use logs up to ${UDAX_MAX_LOG_LENGTH}`;
    problems.push({ code: 'superblock-log-limit', message, offset: logLength.offset });
  }
  if (superblock.logOffset + superblock.logLength > Math.min(superblock.deviceSize, mediaSize)) {
    const message =
      `the log ends at ${superblock.logOffset + superblock.logLength}, the device at ` +
      `${Math.min(superblock.deviceSize, mediaSize)} (size at byte ${deviceSize.offset})`;
    problems.push({ code: 'superblock-log-range', message, offset: logLength.offset });
  }
  if (superblock.deviceSize > mediaSize) {
    const message = `device size at byte ${deviceSize.offset} is ${superblock.deviceSize}, but the device has ${mediaSize} bytes`;
    problems.push({ code: 'superblock-device-size', message, offset: deviceSize.offset });
  }
  return problems;
}

/**
 * Reads and checks the superblock of a medium.
 * @throws DaxError EINVAL not a famfs, EOPNOTSUPP another version, EFBIG the log is longer than udax can use, EIO its memory
 * has failed, EBADMSG damaged or not fitting the device
 */
export function readSuperblock(media: Media): Superblock {
  const bytes = superblockBytes(media);
  const { problem } = checkSuperblock(bytes);
  if (problem !== null || bytes === null) return refuse(media, problem!);
  const [unsafe] = superblockNumberFaults(bytes);
  if (unsafe !== undefined) return refuse(media, unsafe);
  const superblock = decodeSuperblock(bytes);
  const [fault] = superblockFaults(superblock, media.size);
  return fault === undefined ? superblock : refuse(media, fault);
}

/**
 * A private copy of the superblock's bytes, because the memory is shared. Null when the medium is too short for one.
 * @throws DaxError EIO their memory has failed, or was cut
 */
export function superblockBytes(media: Media): Uint8Array | null {
  if (media.size < SUPERBLOCK_SIZE) return null;
  const failed = media.lost?.(0, SUPERBLOCK_SIZE).find(({ kind }) => kind === 'failed');
  if (failed !== undefined) {
    const message = `the superblock cannot be read: ${failed.why}`;
    return refuse(media, { code: 'superblock-memory', message, offset: failed.offset });
  }
  media.invalidate(0, SUPERBLOCK_SIZE);
  return Uint8Array.from(media.bytes(0, SUPERBLOCK_SIZE));
}

function refuse(media: Media, problem: Problem): never {
  const errno = errnoOfProblem[problem.code] ?? 'EBADMSG';
  const { step, hint } = nextSteps[errno] ?? damagedSuperblock;
  return fail(errno, `${media.name}: ${problem.message}; ${step}`, {
    path: media.name,
    ...(hint && { hint }),
  });
}

export function isPowerOfTwo(value: number): boolean {
  return value > 0 && 2 ** Math.round(Math.log2(value)) === value;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
