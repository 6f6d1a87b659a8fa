import { extentRanges, type Fmap } from '../media/fmap.js';
import type { DeviceMedia } from './device-media.js';
import { type FileLock, lockFileRange } from './file-lock.js';

/** What an open file needs of its volume. */
export interface OpenFileHost {
  /** Throws when the volume is closed or its device gone; notices what other processes did to the memory. */
  check(): void;
  /** EROFS with the reason when this volume takes no new names. */
  checkChange(path: string | (() => string)): void;
  /** EROFS with the reason when this volume takes no stores into its files. */
  checkStores(path: string): void;
  /** A file has views (true), or has none any more: the volume closes those that nobody closed. */
  viewed(views: { close(): void }, hasViews: boolean): void;
  /** Keeps the volume mounted, closed or not, until the function it gives is called. */
  keepMounted(): () => void;
  /** Whether bytes stored through views need writeBack(), and the act of it. */
  readonly flushes: boolean;
  flush(fmap: Fmap, offset: number, length: number): void;
  /** False when loads may show what our caches remember: refetch() drops that. */
  readonly coherent: boolean;
  refetch(fmap: Fmap, offset: number, length: number): void;
  /** Null when somebody else has the lock. */
  lock(fmap: Fmap, offset: number, length: number): FileLock | null;
}

/** The part of it that is about the memory of a device. */
export function memoryOfFiles(
  media: DeviceMedia,
): Pick<OpenFileHost, 'flushes' | 'flush' | 'coherent' | 'refetch' | 'lock'> {
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
  };
}
