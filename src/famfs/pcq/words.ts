/** Words and buckets of a queue's files, as views of their memory. */
import type { VolumeFile } from '../volume/index.js';

const HIGH_WORD = 2 ** 32;

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

export function loadU64(words: Uint32Array, word: number): number {
  return words[word + 1]! * HIGH_WORD + words[word]!;
}

export function storeU64(words: Uint32Array, word: number, value: number): void {
  words[word] = value % HIGH_WORD;
  words[word + 1] = Math.floor(value / HIGH_WORD);
}

export function setU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % HIGH_WORD, true);
  view.setUint32(at + 4, Math.floor(value / HIGH_WORD), true);
}
