/**
 * Takes a file system over: another host becomes its owner, the only host that writes (famfs-format.md 4).
 *
 * The owner's uuid and the crc behind it are 24 bytes, which no single store changes. So a take-over record is written
 * first, in the superblock area behind the superblock, where C famfs stores nothing. It is erased when all is done. A crash
 * in between leaves a superblock whose crc does not match. No host writes then, and another takeOver() completes the change.
 */
import { crc32 } from 'node:zlib';
import { fail, isU64, writeU64 } from '../../libc/index.js';
import { KIB, type Superblock, superblockLayout } from './layout.js';
import type { Media } from './media.js';
import { decidedRewrite, settleRewrite } from './rewrite-switch.js';
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
  /** Uuid of this host, the new owner. */
  systemUuid: string;
  /** The uuid of the current owner. The take-over is refused when another host owns the file system. */
  from?: string;
  /** Take the file system over from any owner. */
  force?: boolean;
}

export interface TakeOverResult {
  superblock: Superblock;
  from: string;
  to: string;
  /** False when this host was the owner already; nothing was written then. */
  changed: boolean;
  /** True when this call completed or replaced an earlier take-over that was interrupted. */
  completed: boolean;
}

/**
 * Makes this host the owner. famfs cannot know whether the old owner still runs. So the caller must confirm that it does not:
 * by naming it in `from`, or with `force`. The caller keeps others off the device.
 * @throws DaxError EPERM neither named nor forced; EINVAL another owner than named, no uuid, no famfs; EBADMSG damaged;
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
  completeRewrite(media, to, options);
  const torn = interruptedTakeOver(media);
  const superblock = torn === null ? readSuperblock(media) : decodeSuperblock(superblockBytes(media)!);
  const from = torn?.from ?? superblock.systemUuid;
  if (torn === null && from === to) return { superblock, from, to, changed: false, completed: false };
  checkConsent(media, from, options);
  if (torn !== null && torn.to !== to) {
    // An interrupted take-over by another host is undone first, so that after any crash the record explains the superblock.
    storeOwner(media, from);
    eraseIntent(media);
  }
  writeIntent(media, from, to);
  storeOwner(media, to);
  eraseIntent(media);
  return { superblock: readSuperblock(media), from, to, changed: true, completed: torn !== null };
}

/** A rewrite that the old owner has decided and not completed is completed first: only then is there a superblock to change. */
function completeRewrite(media: Media, to: string, options: TakeOverOptions): void {
  const rewrite = decidedRewrite(media);
  if (rewrite === null) return;
  const { systemUuid: owner } = rewrite.record.superblock;
  if (owner !== to) checkConsent(media, owner, options);
  settleRewrite(media);
}

/**
 * The old and new owner of a take-over that was interrupted. Null when the superblock is whole, or damaged in any other
 * way.
 */
export function interruptedTakeOver(media: Media): { from: string; to: string } | null {
  const bytes = superblockBytes(media);
  if (bytes === null || media.size < INTENT_OFFSET + intentLayout.size) return null;
  const stored = viewOf(bytes);
  if (isU64(stored, CRC.offset, crc32(bytes.subarray(0, CRC.offset)))) return null;
  const intent = readIntent(media);
  if (intent === null) return null;
  // The rest of the superblock is whole when the stored crc matches it with the old owner's uuid, or with the new owner's.
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
