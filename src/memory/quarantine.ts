import { coverWithZeroes, DaxError } from '../libc/index.js';
import { mapLimit } from './map-count.js';
import { type Placement, unplace } from './placement.js';

/** Addresses are kept at least this long, unless one of the bounds below is reached. */
const DELAY_MS = 60_000;
/** Bytes of addresses, not of memory: the zero pages take no memory until a store. */
const MOST_BYTES = 64 * 2 ** 30;
const FEWEST_SPANS = 1024;

interface Waiting {
  readonly placement: Placement;
  readonly since: number;
}

/**
 * Keeps the addresses of views that ended (decision 5b). Native code may still use them: compression, a hash, or a write to
 * a file or socket keeps the address, whatever happens to the ArrayBuffer, and nothing tells when it is done. So zero pages
 * replace the memory at once, and the addresses are unmapped late. Meanwhile native code reads zeroes, its stores reach
 * nobody, and no other mapping appears at these addresses.
 *
 * Native work is safe when it ends within DELAY_MS. MOST_BYTES and the number of spans bound how much is kept: beyond them
 * the oldest spans are unmapped early. Slower work (a socket whose peer does not read) needs a pin: after the delay it gets
 * EFAULT, or the bytes of another mapping.
 */
class Quarantine {
  readonly #waiting: Waiting[] = [];
  /** The index of the oldest span in #waiting. */
  #first = 0;
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #most: number | undefined;

  /** Takes a span that has no view any more, and replaces its memory by zero pages at once. */
  retire(placement: Placement): void {
    coverWithZeroes(placement.base, placement.mapped);
    this.#waiting.push({ placement, since: performance.now() });
    this.#bytes += placement.mapped;
    while ((this.#bytes > MOST_BYTES || this.size > this.#mostSpans()) && this.#release());
    this.#arm();
  }

  get size(): number {
    return this.#waiting.length - this.#first;
  }

  get bytes(): number {
    return this.#bytes;
  }

  #arm(): void {
    if (this.#timer !== undefined || this.size === 0) return;
    const due = this.#waiting[this.#first]!.since + DELAY_MS - performance.now();
    this.#timer = setTimeout(() => this.#tick(), Math.max(1000, due));
    this.#timer.unref();
  }

  #tick(): void {
    this.#timer = undefined;
    const before = performance.now() - DELAY_MS;
    while (this.size > 0 && this.#waiting[this.#first]!.since <= before && this.#release());
    this.#arm();
  }

  /** Unmaps the oldest span. @returns false when the kernel refuses (ENOMEM, near its limit of mappings); the span, zero pages now, then waits again */
  #release(): boolean {
    const { placement } = this.#waiting[this.#first++]!;
    this.#bytes -= placement.mapped;
    if (this.#first > 256 && this.#first * 2 > this.#waiting.length) {
      this.#waiting.splice(0, this.#first);
      this.#first = 0;
    }
    try {
      unplace(placement);
      return true;
    } catch (error) {
      if (!(error instanceof DaxError)) throw error;
      this.#waiting.push({ placement, since: performance.now() });
      this.#bytes += placement.mapped;
      return false;
    }
  }

  /** A quarter of the mappings that the kernel lets a process have. (Adjacent spans count as one mapping there.) */
  #mostSpans(): number {
    this.#most ??= Math.max(FEWEST_SPANS, Math.floor(mapLimit() / 4));
    return this.#most;
  }
}

export const quarantine = new Quarantine();
