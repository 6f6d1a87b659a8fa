/**
 * Makes a famfs (famfs-format.md 5). The order of the stores makes a crash leave either no file system or a whole one: mkfs
 * removes the old magic first, writes the log, and writes the new magic last. The caller keeps others off the device.
 */
import { randomUUID } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { fail, writeU64 } from '../../libc/index.js';
import {
  FAMFS_ALLOC_UNIT,
  FAMFS_LOG_MAGIC,
  FAMFS_LOG_OFFSET,
  FAMFS_MIN_LOG_LENGTH,
  FAMFS_OMF_MAJOR,
  FAMFS_OMF_MINOR,
  FAMFS_SUPER_MAGIC,
  FAMFS_SUPERBLOCK_SIZE,
  FAMFS_VERSION,
  logHeaderLayout,
  logSlots,
  type Superblock,
  superblockLayout,
  UDAX_MAX_LOG_LENGTH,
  UDAX_MIN_DEVICE_SIZE,
} from './layout.js';
import type { Media } from './media.js';
import { asRewritten, decidedRewrite } from './rewrite-switch.js';
import { writeStruct } from './struct.js';
import {
  checkSuperblock,
  decodeSuperblock,
  hasRewriteMagic,
  hasSuperblockMagic,
  isPowerOfTwo,
  superblockBytes,
  superblockNumberFaults,
  viewOf,
} from './superblock.js';

export interface FormatOptions {
  /** Uuid of this host, the owner of the new file system. */
  systemUuid: string;
  /** Overwrite an existing file system, whoever owns it. */
  force?: boolean;
  /** With force: only remove the superblock's magic, make nothing. */
  kill?: boolean;
  /** Bytes. A power of two from 8 MiB (the default) to 4 GiB. */
  logLength?: number;
  /** Written to the superblock; default: the media's name. 64 bytes are kept. */
  deviceName?: string;
  /** Test seam: uuids to write instead of random ones. */
  uuids?: { fileSystem: string; device: string };
}

/** What a medium holds. unfinished: a famfs whose rewrite was cut short. */
export type MediaState = 'none' | 'valid' | 'other-version' | 'damaged' | 'unfinished';

export function mediaState(media: Media): MediaState {
  const bytes = superblockBytes(media);
  const { result } = checkSuperblock(bytes);
  if (bytes !== null && hasRewriteMagic(bytes))
    return decidedRewrite(media) === null ? 'damaged' : 'unfinished';
  if (result === 0) return superblockNumberFaults(bytes!).length === 0 ? 'valid' : 'damaged';
  if (result === 1) return 'other-version';
  return bytes !== null && hasSuperblockMagic(bytes) ? 'damaged' : 'none';
}

/**
 * Makes a file system, or kills one.
 * @returns the new superblock; null after a kill
 * @throws DaxError EINVAL bad log length, device too small, kill without force; EPERM another host owns the file system;
 * EEXIST there is a file system already. Nothing is written then.
 */
export function formatMedia(media: Media, options: FormatOptions): Superblock | null {
  const logLength = options.logLength ?? FAMFS_MIN_LOG_LENGTH;
  const force = options.force ?? false;
  checkLogLength(logLength);
  if (options.kill === true) return kill(media, force);
  if (!force) refuseExisting(media, options.systemUuid);
  checkDevice(media, logLength);
  const superblock = newSuperblock(media, logLength, options);
  removeMagic(media);
  writeLog(media, logLength);
  writeSuperblock(media, superblock);
  return decodeSuperblock(superblock);
}

function checkLogLength(logLength: number): void {
  if (logLength > UDAX_MAX_LOG_LENGTH) {
    fail(
      'EINVAL',
      `a log of ${logLength} bytes is refused: nobody here could mount it, a log has at most ${UDAX_MAX_LOG_LENGTH} (4 GiB, room for ` +
        `${logSlots(UDAX_MAX_LOG_LENGTH)} files and directories)`,
    );
  }
  if (!isPowerOfTwo(logLength) || logLength < FAMFS_MIN_LOG_LENGTH) {
    fail(
      'EINVAL',
      `a log of ${logLength} bytes is refused: it must be a power of two and at least ${FAMFS_MIN_LOG_LENGTH} (8 MiB)`,
    );
  }
}

/** In C, `-k` without force formats. Here it fails and asks for force. */
function kill(media: Media, force: boolean): null {
  if (!force) {
    fail(
      'EINVAL',
      `${media.name}: killing a superblock destroys the file system: give { force: true } as well`,
      {
        path: media.name,
        hint: 'mkfs-kill',
      },
    );
  }
  removeMagic(media);
  return null;
}

function refuseExisting(media: Media, systemUuid: string): void {
  const state = mediaState(media);
  if (state === 'none') return;
  const isKnown = state === 'valid' || state === 'unfinished';
  const owner = isKnown ? decodeSuperblock(superblockBytes(asRewritten(media))!).systemUuid : null;
  if (owner !== null && owner !== systemUuid.toLowerCase()) {
    fail('EPERM', `${media.name}: its superblock is owned by another host (${owner})`, {
      path: media.name,
    });
  }
  const what = {
    valid: 'already has a famfs superblock',
    'other-version': 'already has a famfs superblock of another version',
    damaged: 'has a damaged famfs superblock (fsck() tells more)',
    unfinished: 'has a famfs whose rewrite was cut short (mounting it as its master completes it)',
  }[state];
  fail('EEXIST', `${media.name} ${what}; { force: true } overwrites it and all its files`, {
    path: media.name,
    hint: 'mkfs-force',
  });
}

function checkDevice(media: Media, logLength: number): void {
  if (media.size < UDAX_MIN_DEVICE_SIZE) {
    fail('EINVAL', `${media.name} has ${media.size} bytes, a famfs needs at least ${UDAX_MIN_DEVICE_SIZE}`, {
      path: media.name,
    });
  }
  const dataStart = FAMFS_LOG_OFFSET + logLength;
  if (dataStart + FAMFS_ALLOC_UNIT > media.size) {
    fail(
      'EINVAL',
      `${media.name}: superblock and a log of ${logLength} bytes leave no room for files on ${media.size} bytes: ` +
        'choose a shorter log',
      { path: media.name },
    );
  }
}

function newSuperblock(media: Media, logLength: number, options: FormatOptions): Uint8Array {
  const bytes = new Uint8Array(superblockLayout.size);
  const view = viewOf(bytes);
  writeStruct(superblockLayout, view, 0, {
    magic: FAMFS_SUPER_MAGIC,
    version: FAMFS_VERSION,
    logOffset: FAMFS_LOG_OFFSET,
    logLength,
    allocUnit: FAMFS_ALLOC_UNIT,
    omfMajor: FAMFS_OMF_MAJOR,
    omfMinor: FAMFS_OMF_MINOR,
    uuid: options.uuids?.fileSystem ?? randomUUID(),
    deviceUuid: options.uuids?.device ?? randomUUID(),
    systemUuid: options.systemUuid,
    deviceSize: media.size,
    deviceName: options.deviceName ?? media.name,
  });
  const { crc } = superblockLayout.fields;
  writeU64(view, crc.offset, crc32(bytes.subarray(0, crc.offset)));
  return bytes;
}

/** From this store on there is no file system on the medium, until writeSuperblock() is done. */
function removeMagic(media: Media): void {
  const { magic } = superblockLayout.fields;
  store(media, magic.offset, new Uint8Array(magic.size));
}

/** Writes a zeroed log and its header. Both indices are 0. */
function writeLog(media: Media, logLength: number): void {
  const header = new Uint8Array(logHeaderLayout.size);
  const view = viewOf(header);
  const { crc } = logHeaderLayout.fields;
  writeStruct(logHeaderLayout, view, 0, {
    magic: FAMFS_LOG_MAGIC,
    length: logLength,
    lastIndex: logSlots(logLength) - 1,
  });
  writeU64(view, crc.offset, crc32(header.subarray(0, crc.offset)));
  media.zero(FAMFS_LOG_OFFSET, logLength);
  store(media, FAMFS_LOG_OFFSET, header);
}

/** Zeroes the superblock area (C leaves the old bytes there), writes the fields, and writes the magic last. */
function writeSuperblock(media: Media, superblock: Uint8Array): void {
  const { magic } = superblockLayout.fields;
  media.zero(0, FAMFS_SUPERBLOCK_SIZE);
  store(media, magic.size, superblock.subarray(magic.size));
  store(media, magic.offset, superblock.subarray(0, magic.size));
}

function store(media: Media, offset: number, bytes: Uint8Array): void {
  media.bytes(offset, bytes.length).set(bytes);
  media.flush(offset, bytes.length);
  media.fence();
}
