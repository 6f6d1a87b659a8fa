import { crc32 } from 'node:zlib';
import { fail, isU64, writeU64 } from '../../libc/index.js';
import { Allocator, newAllocationMap } from '../media/allocator.js';
import { decodeEntry, ENTRY_CRC_OFFSET, ENTRY_SIZE, encodeEntry } from '../media/entry.js';
import { FAMFS_LOG_ADD_DAXDEV, FAMFS_LOG_FILE, FAMFS_LOG_MKDIR, logEntryLayout } from '../media/layout.js';
import { Log } from '../media/log.js';
import { bufferMedia, type Media } from '../media/media.js';
import { metadataImage } from '../media/rewrite-switch.js';
import { decodeSuperblock, viewOf } from '../media/superblock.js';
import { FileTree, inodeOfEntry, ROOT_INO } from '../media/tree.js';
import type { Folded, FreshAnnex } from './rewrite-annex.js';
import type { ChangedNames } from './rewrite-names.js';
import type { ChangedSpace } from './rewrite-space.js';
import { statfsOf } from './space.js';
import type { VolumeStatfs } from './types.js';

const SEQNUM = logEntryLayout.fields.seqnum.offset;
const TYPE = logEntryLayout.fields.type.offset;

/** The entries of an old log that go into the new one, and in which order. */
interface Kept {
  /** Their indices in the old log. */
  order: number[];
  /** How many entries are left out because a mount does not show them: they break a rule, or nobody knows their type. */
  damaged: number;
}

/** The entries of a new log, as bytes, and the annex that goes with them. */
export type NewEntries = Folded;

/**
 * Makes the entries of the new log from those of the old one. An entry that stays as it is keeps its bytes but for its number and
 * crc. The order is the old one, but a directory comes before what was moved into it.
 * @throws DaxError EBADMSG an entry is damaged; ENAMETOOLONG
 */
export function newEntries(tree: FileTree, names: ChangedNames, space: ChangedSpace): NewEntries {
  const { log } = tree;
  const old = new Uint8Array(tree.nextIndex * ENTRY_SIZE);
  if (tree.nextIndex > 0) log.copySlots(0, tree.nextIndex, old);
  const { order, damaged } = keptEntries(viewOf(old), tree, names);
  const paths = names.newPaths();
  const bytes = new Uint8Array(order.length * ENTRY_SIZE);
  const view = viewOf(bytes);
  for (const [index, from] of order.entries()) {
    const at = index * ENTRY_SIZE;
    const entry = bytes.subarray(at, at + ENTRY_SIZE);
    entry.set(old.subarray(from * ENTRY_SIZE, (from + 1) * ENTRY_SIZE));
    assertGood(entry, from, log.media.name);
    const ino = inodeOfEntry(from);
    const place = space.changed.get(ino);
    const path = paths.get(ino);
    if (place !== undefined || path !== undefined) {
      const decoded = decodeEntry(viewOf(entry), 0, from, log.entryOffset(from));
      if (decoded.kind === 'unknown') continue;
      encodeEntry(entry, viewOf(entry), { ...decoded, ...place, ...(path !== undefined && { path }) }, index);
      continue;
    }
    writeU64(view, at + SEQNUM, index);
    writeU64(view, at + ENTRY_CRC_OFFSET, crc32(entry.subarray(0, ENTRY_CRC_OFFSET)));
  }
  return { bytes, damaged, annex: null, isShorter: false };
}

function keptEntries(old: DataView, tree: FileTree, names: ChangedNames): Kept {
  const order: number[] = [];
  const isKept = new Uint8Array(tree.nextIndex);
  let damaged = 0;
  const keep = (index: number): void => {
    if (isKept[index] === 1) return;
    isKept[index] = 1;
    const parent = names.parentOf(inodeOfEntry(index));
    if (parent !== ROOT_INO) keep(parent - inodeOfEntry(0));
    order.push(index);
  };
  for (let index = 0; index < tree.nextIndex; index++) {
    const type = old.getUint32(index * ENTRY_SIZE + TYPE, true);
    const ino = inodeOfEntry(index);
    if (type === FAMFS_LOG_ADD_DAXDEV) order.push(index);
    else if ((type !== FAMFS_LOG_FILE && type !== FAMFS_LOG_MKDIR) || !tree.has(ino)) damaged++;
    else if (!names.isGone(ino)) keep(index);
  }
  return { order, damaged };
}

/** The copy is checked once more: another host may have changed the memory since it was replayed. */
function assertGood(entry: Uint8Array, index: number, name: string): void {
  const view = viewOf(entry);
  if (isU64(view, SEQNUM, index) && isU64(view, ENTRY_CRC_OFFSET, crc32(entry.subarray(0, ENTRY_CRC_OFFSET))))
    return;
  fail(
    'EBADMSG',
    `${name}: log entry ${index} changed since it was replayed: who writes there? fsck() tells more`,
    {
      path: name,
      hint: 'fsck',
    },
  );
}

/**
 * Replays the new log in private memory before any of it is stored: every entry must make what it is to make.
 * @returns what statfs() will say of it
 * @throws DaxError EBADMSG the new log would not be good
 */
export function provenStatfs(
  name: string,
  superblockBytes: Uint8Array,
  { bytes: entries, annex }: Pick<NewEntries, 'bytes' | 'annex'>,
): VolumeStatfs {
  const superblock = decodeSuperblock(superblockBytes);
  const image = metadataImage(superblockBytes, entries);
  const media = bufferMedia(image, { name, size: superblock.deviceSize });
  const log = Log.open(annex === null ? media : withAnnex(media, annex), superblock);
  const allocation = newAllocationMap(superblock);
  const tree = new FileTree(superblock, log, { allocation });
  tree.replay();
  const count = entries.length / ENTRY_SIZE;
  const view = viewOf(entries);
  for (let index = 0; index < count; index++) {
    const isOfDevice = view.getUint32(index * ENTRY_SIZE + TYPE, true) === FAMFS_LOG_ADD_DAXDEV;
    if (isOfDevice || tree.has(inodeOfEntry(index))) continue;
    const why = tree.stopped ?? tree.problems.find(({ entry }) => entry === index);
    fail(
      'EBADMSG',
      `${name}: the new log would not be good (${why?.message ?? `entry ${index}`}); nothing was changed`,
      {
        path: name,
        hint: 'fsck',
      },
    );
  }
  const [why] = annex === null ? [] : tree.problemsAndStop;
  if (why) {
    const message = `${name}: the annex of the new log would not be good (${why.message}); nothing was changed`;
    fail('EBADMSG', message, { path: name, hint: 'fsck' });
  }
  return statfsOf({ superblock, tree, space: new Allocator(superblock, allocation) });
}

/** The new metadata with the new annex where it will be. */
function withAnnex(media: Media, { offset, bytes }: FreshAnnex): Media {
  const end = offset + bytes.length;
  return {
    ...media,
    bytes: (at, length) =>
      at >= offset && at + length <= end
        ? bytes.subarray(at - offset, at - offset + length)
        : media.bytes(at, length),
  };
}
