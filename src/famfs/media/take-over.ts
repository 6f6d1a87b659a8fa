/**
 * Taking a file system over: another host becomes its owner, the only one that writes (famfs-format.md 4).
 *
 * The owner's uuid and the crc behind it are 24 bytes, which no store changes at once. So a record of what is to
 * happen is written first, behind the superblock, where C famfs leaves 2 MiB unused; it goes when all is done. A crash
 * in between leaves a superblock whose crc does not match: no host writes then, and running this again completes it.
 */
import { crc32 } from 'node:zlib';
import { fail, isU64, writeU64 } from '../../libc/index.js';
import { KIB, type Superblock, superblockLayout } from './layout.js';
import type { Media } from './media.js';
import { readStruct, struct, u64, uuid, writeStruct } from './struct.js';
import { decodeSuperblock, readSuperblock, superblockBytes, viewOf } from './superblock.js';
import { isUuid, parseUuid } from './uuid.js';

const { crc: CRC, systemUuid: OWNER } = superblockLayout.fields;
/** "UDAXOW" */
const INTENT_MAGIC = 0x5544_4158_4f57;
const INTENT_OFFSET = 64 * KIB;

const intentLayout = struct('take-over record', 48, {
  magic: u64(0),
  from: uuid(8),
  to: uuid(24),
  /** CRC-32 of all bytes before it. */
  crc: u64(40),
});

export interface TakeOverOptions {
  /** This host: the new owner. */
  systemUuid: string;
  /** The owner as the caller knows it: refused when it is another one. */
  from?: string;
  /** Take it from whoever has it. */
  force?: boolean;
}

export interface TakeOverResult {
  superblock: Superblock;
  from: string;
  to: string;
  /** False: this host owned it already, nothing was written. */
  changed: boolean;
  /** True: somebody died in the middle of this before. */
  completed: boolean;
}

/**
 * Makes this host the owner. famfs cannot know whether the old owner still lives: the caller says so, by naming it or
 * by force. The caller keeps the device for himself.
 * @throws DaxError EPERM neither named nor forced; EINVAL another owner than named, no famfs; EBADMSG damaged;
 * EOPNOTSUPP another version. Nothing is written then.
 */
export function takeOver(media: Media, options: TakeOverOptions): TakeOverResult {
  const to = options.systemUuid.toLowerCase();
  if (options.from !== undefined && !isUuid(options.from)) {
    fail('EINVAL', `'${options.from}' is no uuid: give the owner's, the systemUuid of the superblock`, {
      path: media.name,
      hint: 'owner',
    });
  }
  const torn = interruptedTakeOver(media);
  const superblock = torn === null ? readSuperblock(media) : decodeSuperblock(superblockBytes(media)!);
  const from = torn?.from ?? superblock.systemUuid;
  if (torn === null && from === to) return { superblock, from, to, changed: false, completed: false };
  checkConsent(media, from, options);
  if (torn !== null && torn.to !== to) {
    // Somebody else's: back to where it started, so that every crash is explained by the record that is there.
    storeOwner(media, from);
    eraseIntent(media);
  }
  writeIntent(media, from, to);
  storeOwner(media, to);
  eraseIntent(media);
  return { superblock: readSuperblock(media), from, to, changed: true, completed: torn !== null };
}

/**
 * What a host that died in the middle of takeOver() was about to do; null when the superblock is whole, or damaged in
 * any other way.
 */
export function interruptedTakeOver(media: Media): { from: string; to: string } | null {
  const bytes = superblockBytes(media);
  if (bytes === null || media.size < INTENT_OFFSET + intentLayout.size) return null;
  const stored = viewOf(bytes);
  if (isU64(stored, CRC.offset, crc32(bytes.subarray(0, CRC.offset)))) return null;
  const intent = readIntent(media);
  if (intent === null) return null;
  // All else in the superblock is whole when the stored crc is that of the old owner's, or of the new one's.
  const isExplained = [intent.from, intent.to].some((owner) => {
    bytes.set(parseUuid(owner), OWNER.offset);
    return isU64(stored, CRC.offset, crc32(bytes.subarray(0, CRC.offset)));
  });
  return isExplained ? intent : null;
}

function checkConsent(media: Media, owner: string, { from, force = false }: TakeOverOptions): void {
  if (from !== undefined && from.toLowerCase() !== owner) {
    fail('EINVAL', `${media.name} is owned by ${owner}, not by ${from.toLowerCase()}: nothing was changed`, {
      path: media.name,
    });
  }
  if (from === undefined && !force) {
    fail(
      'EPERM',
      `${media.name} is owned by host ${owner}; two owners that write would destroy it: make sure that host is gone ` +
        'for good, then name it as { from }, or force it',
      { path: media.name, hint: 'take-over' },
    );
  }
}

function readIntent(media: Media): { from: string; to: string } | null {
  media.invalidate(INTENT_OFFSET, intentLayout.size);
  const bytes = Uint8Array.from(media.bytes(INTENT_OFFSET, intentLayout.size));
  const view = viewOf(bytes);
  const { magic, crc } = intentLayout.fields;
  if (!isU64(view, magic.offset, INTENT_MAGIC)) return null;
  if (!isU64(view, crc.offset, crc32(bytes.subarray(0, crc.offset)))) return null;
  const { from, to } = readStruct(intentLayout, view, 0);
  return { from, to };
}

function writeIntent(media: Media, from: string, to: string): void {
  const bytes = new Uint8Array(intentLayout.size);
  const view = viewOf(bytes);
  const { crc } = intentLayout.fields;
  writeStruct(intentLayout, view, 0, { magic: INTENT_MAGIC, from, to });
  writeU64(view, crc.offset, crc32(bytes.subarray(0, crc.offset)));
  store(media, INTENT_OFFSET, bytes);
}

function storeOwner(media: Media, to: string): void {
  const bytes = superblockBytes(media)!;
  bytes.set(parseUuid(to), OWNER.offset);
  writeU64(viewOf(bytes), CRC.offset, crc32(bytes.subarray(0, CRC.offset)));
  store(media, OWNER.offset, bytes.subarray(OWNER.offset, OWNER.offset + OWNER.size));
  store(media, CRC.offset, bytes.subarray(CRC.offset, CRC.offset + CRC.size));
}

function eraseIntent(media: Media): void {
  store(media, INTENT_OFFSET, new Uint8Array(intentLayout.size));
}

function store(media: Media, offset: number, bytes: Uint8Array): void {
  media.bytes(offset, bytes.length).set(bytes);
  media.flush(offset, bytes.length);
  media.fence();
}
