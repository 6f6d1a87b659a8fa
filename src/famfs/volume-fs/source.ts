import type { VolumeFile } from '../volume/file.js';
import type { FileStat } from '../volume/types.js';
import type { VolumeChanges } from '../volume/volume-changes.js';

/** The part of a Volume that volumeFs() reads from. */
export interface ReadableVolume {
  readonly device: string;
  stat(path: string): FileStat;
  lstat(path: string): FileStat;
  readlink(path: string): string;
  realpath(path: string): string;
  exists(path: string): boolean;
  readdir(path: string): string[];
  open(path: string, options?: { writable?: boolean }): VolumeFile;
}

/** The part of a Volume that volumeFs() reads from and changes. */
export type FsVolume = ReadableVolume &
  Pick<
    VolumeChanges,
    | 'unlink'
    | 'rmdir'
    | 'rm'
    | 'rename'
    | 'link'
    | 'symlink'
    | 'chmod'
    | 'chown'
    | 'utimes'
    | 'truncate'
    | 'put'
  > & { mkdir(path: string, options?: { recursive?: boolean; mode?: number }): void };
