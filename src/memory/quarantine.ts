import { coverWithZeroes } from '../libc/index.js';
import { mapLimit } from './map-count.js';
import { type Placement, unplace } from './placement.js';

/** How long addresses are kept, at least, unless one of the bounds is reached. */
const DELAY_MS = 60_000;
/** Addresses, not memory: nothing is behind them until somebody stores there. */
const MOST_BYTES = 64 * 2 ** 30;
const FEWEST_SPANS = 1024;

interface Waiting {
  readonly placement: Placement;
  readonly since: number;
}

/**
 * Addresses of views that ended (decision 5b). Native work may still be under way in them: compression, a hash, a write of a
 * file or a socket takes an address and keeps it, whatever becomes of the ArrayBuffer, and nothing tells when it is done.
 * So zero pages take the memory's place at once, and the addresses are given back late: native code reads zeroes, its
 * stores go nowhere, and nobody else's bytes ever appear there meanwhile.
 *
 * What is sound: anything that ends within DELAY_MS, and MOST_BYTES and the number of spans bound how much may wait (oldest
 * out first). Slower work (a socket whose peer does not read) needs a pin: after the delay it gets EFAULT, or other bytes.
 */
class Quarantine {
  readonly #waiting: Waiting[] = [];
  /** Where the oldest is. */
  #first = 0;
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #most: number | undefined;

  /** Takes a span nobody has a view of any more; what was mapped there is let go of at once. */
  retire(placement: Placement): void {
    coverWithZeroes(placement.base, placement.mapped);
    this.#waiting.push({ placement, since: performance.now() });
    this.#bytes += placement.mapped;
    while (this.#bytes > MOST_BYTES || this.size > this.#mostSpans()) this.#release();
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
    while (this.size > 0 && this.#waiting[this.#first]!.since <= before) this.#release();
    this.#arm();
  }

  #release(): void {
    const { placement } = this.#waiting[this.#first++]!;
    this.#bytes -= placement.mapped;
    if (this.#first > 256 && this.#first * 2 > this.#waiting.length) {
      this.#waiting.splice(0, this.#first);
      this.#first = 0;
    }
    unplace(placement);
  }

  /** A quarter of what the kernel lets a process have (neighbours count as one there). */
  #mostSpans(): number {
    this.#most ??= Math.max(FEWEST_SPANS, Math.floor(mapLimit() / 4));
    return this.#most;
  }
}

export const quarantine = new Quarantine();
