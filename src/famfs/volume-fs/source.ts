import type { VolumeFile } from '../volume/file.js';
import type { FileStat } from '../volume/types.js';

/** What the fs face reads from: a Volume has it all. */
export interface ReadableVolume {
  readonly device: string;
  stat(path: string): FileStat;
  exists(path: string): boolean;
  readdir(path: string): string[];
  open(path: string, options?: { writable?: boolean }): VolumeFile;
}
