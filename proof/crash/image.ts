import type { LineHash } from '../media/lines.js';
import type { Version } from './cache.js';

/** A possible memory after a crash: the lines that differ from the memory before the operation. */
export type ImageLines = readonly (readonly [line: number, bytes: Uint8Array])[];

/** Collects lines into an image and its hash. Putting a line again replaces it. */
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

  /** 52 bits of the hash. */
  get key(): number {
    return (this.#high >>> 0) * 2 ** 20 + (this.#low >>> 12);
  }

  get lines(): ImageLines {
    return [...this.#lines].map(([line, { bytes }]) => [line, bytes] as const);
  }
}

/** The name of an image in findings and for `--state`. */
export function nameOfKey(key: number): string {
  return key.toString(16).padStart(13, '0');
}
