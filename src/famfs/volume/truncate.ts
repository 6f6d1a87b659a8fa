import { fail } from '../../libc/index.js';
import { PAGE_SIZE } from '../../mm/index.js';
import type { Stripe } from '../media/stripe.js';
import { copyBytes, GrowingFile } from './growing-file.js';
import type { Inode } from './inode.js';
import type { MountedFamfs } from './mounted.js';
import { ownerOf } from './name-rules.js';
import { find, isThere } from './names.js';
import { replaceContent } from './publish-name.js';
import type { Reservation } from './space.js';
import { stripeOf, takeInStripes } from './striping.js';

/** See Volume.truncate. */
export function truncateFile(mounted: MountedFamfs, ino: number, size: number): void {
  const path = `/${mounted.tree.pathOf(ino)}`;
  const stat = mounted.tree.stat(ino);
  if (stat.type === 'directory') fail('EISDIR', `${path} is a directory, it has no size`, { path });
  if (!Number.isSafeInteger(size) || size < 0) fail('EINVAL', `${path} cannot have ${size} bytes`, { path });
  if (size !== stat.size) changeContent(mounted, ino, size, stat.size, () => {});
}

/** Adds bytes to the end of a file: all its bytes are copied once. */
function appendToFile(mounted: MountedFamfs, ino: number, bytes: Uint8Array): void {
  const { size } = mounted.tree.stat(ino);
  if (bytes.length > 0)
    changeContent(mounted, ino, size + bytes.length, size, (inode) => void inode.dax.write(bytes, size));
}

/**
 * Makes a file with these bytes, or gives them to a file that is there, in place of its own or behind them.
 * @throws DaxError EISDIR; as create() and truncate()
 */
export function putFile(
  mounted: MountedFamfs,
  path: string,
  bytes: Uint8Array,
  { mode = 0o644, append = false }: { mode?: number; append?: boolean },
): void {
  if (!isThere(mounted.tree, path)) {
    const file = new GrowingFile(mounted, path, { mode, ...ownerOf({}) });
    try {
      file.write(bytes, 0);
      file.publish();
    } finally {
      file.end();
    }
    return;
  }
  const { ino } = find(mounted.tree, path);
  if (mounted.tree.isDirectory(ino)) fail('EISDIR', `${path} is a directory, it has no bytes`, { path });
  if (append) appendToFile(mounted, ino, bytes);
  else changeContent(mounted, ino, bytes.length, 0, (inode) => void inode.dax.write(bytes, 0));
}

/**
 * Gives a published file other bytes: as many of its own as fit, zeroes behind, and what `store` stores. Striping stays.
 * @param most how many of its own bytes it keeps at most
 * @throws DaxError ENOSPC; EIO; nothing was changed then
 */
function changeContent(
  mounted: MountedFamfs,
  ino: number,
  size: number,
  most: number,
  store: (inode: Inode) => void,
): void {
  const { mode, uid, gid } = mounted.tree.stat(ino);
  if (size === 0) {
    mounted.session(() => replaceContent(mounted, ino, null));
    return;
  }
  const old = mounted.inode(ino);
  const path = old.path;
  const stripe = stripeOf(old);
  const reservation = mounted.session(() =>
    stripe
      ? takeInStripes(mounted.superblock, stripe, (each) => keep(mounted, size, each))
      : keep(mounted, size, undefined),
  );
  try {
    const inode = mounted.newInode(path, capacityOf(reservation), reservation.fmap);
    // A full disk under a sparse backing must be an error now, not a signal at the first store.
    inode.dax.ensureMemory();
    const kept = Math.min(size, most);
    if (kept > 0) copyBytes(old, inode, kept);
    const end = Math.min(Math.ceil(size / PAGE_SIZE) * PAGE_SIZE, capacityOf(reservation));
    if (end > kept) {
      inode.dax.zero(kept, end - kept);
      // Zeroing may have punched holes. Users of the file will store into them, so they need memory.
      inode.dax.ensureMemory(kept, end - kept);
    }
    store(inode);
    mounted.session(() => {
      const object = { kind: 'file' as const, size, mode, uid, gid, fmap: reservation.fmap };
      replaceContent(mounted, ino, object, () => {
        mounted.flushData(reservation.fmap, size);
        reservation.handOver();
      });
    });
  } finally {
    reservation.end();
  }
}

/** Bytes that the whole of a reservation can hold. */
function capacityOf({ fmap }: Reservation): number {
  return fmap.extents.reduce((sum, { length }) => sum + length, 0);
}

function keep(mounted: MountedFamfs, size: number, stripe: Stripe | undefined): Reservation {
  const reservation = mounted.space.take(size, stripe);
  try {
    mounted.assertMemory(reservation.fmap);
    reservation.keep();
    mounted.device.reach?.(reservation.fmap);
    return reservation;
  } catch (error) {
    reservation.end();
    throw error;
  }
}
