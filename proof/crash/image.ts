import type { LineHash } from '../media/lines.js';
import type { Version } from './cache.js';

/** A memory as it may be after a crash: the lines that differ from what was there before. */
export type ImageLines = readonly (readonly [line: number, bytes: Uint8Array])[];

/** Gathers lines into an image and its hash; a line that is put again replaces itself. */
export class ImageBuilder {
  readonly #lines = new Map<number, Version>();
  #high = 0;
  #low = 0;

  put(line: number, version: Version): void {
    const before = this.#lines.get(line);
    if (before) this.#mix(before.hash);
    this.#mix(version.hash);
    this.#lines.set(line, version);
  }

  #mix({ high, low }: LineHash): void {
    this.#high ^= high;
    this.#low ^= low;
  }

  /** 52 bits of it. */
  get key(): number {
    return (this.#high >>> 0) * 2 ** 20 + (this.#low >>> 12);
  }

  get lines(): ImageLines {
    return [...this.#lines].map(([line, { bytes }]) => [line, bytes] as const);
  }
}

/** As findings name an image, and `--state` takes it. */
export function nameOfKey(key: number): string {
  return key.toString(16).padStart(13, '0');
}
