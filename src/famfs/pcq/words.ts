/** Maps the header words and the buckets of a queue's files as views of their memory. */
import type { VolumeFile } from '../volume/index.js';

export function wordsOf(file: VolumeFile, length: number, writable: boolean): Uint32Array {
  return file.mapAs(Uint32Array, { length, writable });
}

export function mapBuckets(
  file: VolumeFile,
  offset: number,
  length: number,
  windowBytes: number,
  writable: boolean,
): Uint8Array[] {
  const windows: Uint8Array[] = [];
  for (let at = 0; at < length; at += windowBytes) {
    const bytes = Math.min(windowBytes, length - at);
    windows.push(file.map({ offset: offset + at, length: bytes, writable }));
  }
  return windows;
}
