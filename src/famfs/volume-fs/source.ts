import type { VolumeFile } from '../volume/file.js';
import type { FileStat } from '../volume/types.js';

/** The part of a Volume that volumeFs() reads from. */
export interface ReadableVolume {
  readonly device: string;
  stat(path: string): FileStat;
  exists(path: string): boolean;
  readdir(path: string): string[];
  open(path: string, options?: { writable?: boolean }): VolumeFile;
}
