import { extentRanges, type Fmap } from '../media/fmap.js';
import { ByteLocks } from './byte-locks.js';
import type { DeviceMedia } from './device-media.js';
import { type FileLock, lockFileRange } from './file-lock.js';

/** What an open file needs from its volume. */
export interface OpenFileHost {
  /** Throws when the volume is closed or its device is gone. It also notices what other processes did to the memory. */
  check(): void;
  /** EROFS, with the reason, when this volume takes no new files or directories. */
  checkChange(path: string | (() => string)): void;
  /** EROFS, with the reason, when this volume takes no stores into its files. */
  checkStores(path: string): void;
  /** Tells the volume that a file has views (true) or no views any more (false). The volume closes the remaining ones with itself. */
  viewed(views: { close(): void }, hasViews: boolean): void;
  /** Keeps the famfs mounted, even after the volume is closed, until the returned function is called. */
  keepMounted(): () => void;
  /** Whether stores through views need writeBack(). flush() does it. */
  readonly flushes: boolean;
  flush(fmap: Fmap, offset: number, length: number): void;
  /** False when loads may show old bytes from the caches of this host. refetch() drops those. */
  readonly coherent: boolean;
  refetch(fmap: Fmap, offset: number, length: number): void;
  /** Locks a range; null when another handle has the lock. */
  lock(fmap: Fmap, offset: number, length: number): FileLock | null;
  /** A descriptor of its own for locks on single bytes. */
  byteLocks(fmap: Fmap): ByteLocks;
}

/** The part of an OpenFileHost that concerns the memory of a device. */
export function memoryOfFiles(
  media: DeviceMedia,
): Pick<OpenFileHost, 'flushes' | 'flush' | 'coherent' | 'refetch' | 'lock' | 'byteLocks'> {
  return {
    flushes: media.flushes,
    flush(fmap, offset, length) {
      for (const piece of extentRanges(fmap, offset, length)) media.flush(piece.offset, piece.length);
      media.fence();
    },
    coherent: media.backing.coherent,
    refetch(fmap, offset, length) {
      for (const piece of extentRanges(fmap, offset, length)) media.invalidate(piece.offset, piece.length);
    },
    lock: (fmap, offset, length) => lockFileRange(media, fmap, offset, length),
    byteLocks: (fmap) => new ByteLocks(media, fmap),
  };
}
