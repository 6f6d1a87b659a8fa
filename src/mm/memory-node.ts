import { fail } from '../libc/index.js';
import type { Mapping, PhysicalMemory } from '../memory/index.js';
import { PageRuns } from './page-runs.js';
import { PAGE_SIZE } from './pages.js';
import { RangeSet } from './range-set.js';

/** Zeroed volatile memory of a node. */
export interface NodeAllocation {
  /** Length 0 after free(), and after its memory was removed. */
  readonly buffer: Uint8Array;
  /** hpa of the first piece, bytes. */
  readonly hpa: number;
  /** Bytes taken from the node: the requested bytes, rounded up to whole pages (or the backing's huge pages). */
  readonly length: number;
  /** Gives the pages back. Idempotent. */
  free(): void;
  [Symbol.dispose](): void;
}

/** Space of a memory node, in bytes. */
export interface NodeStats {
  id: number;
  /** Bytes of its online blocks, without retired pages. */
  onlineBytes: number;
  usedBytes: number;
  freeBytes: number;
  allocations: number;
}

/** A NUMA node made of hot-added memory: a first-fit page allocator over its online blocks. */
export class MemoryNode {
  /** The number of its blocks, online or not. MemoryBlocks maintains it. */
  blockCount = 0;
  readonly #free = new PageRuns();
  readonly #used = new RangeSet();
  #allocations = 0;

  constructor(
    readonly id: number,
    readonly memory: PhysicalMemory | null,
  ) {}

  /**
   * Allocates zeroed volatile memory: whole pages, first fit. Stitched from several runs when no single one is long enough.
   * @param onEnd called once when the pages are free again: after free(), when their memory was removed, or when the buffer
   * was garbage collected
   * @throws DaxError EINVAL bytes is no positive integer; ENXIO the bus has no memory; ENOMEM the online blocks have not enough free
   */
  alloc(bytes: number, onEnd: () => void = nobodyAsks): NodeAllocation {
    if (!Number.isSafeInteger(bytes) || bytes <= 0)
      fail(
        'EINVAL',
        `${bytes} bytes of node ${this.id} are nothing to give: ask for a whole number from 1 on`,
      );
    const memory =
      this.memory ?? fail('ENXIO', `node ${this.id} of a bus without memory has nothing to give`);
    const granule = this.#granule(memory);
    const length = Math.ceil(bytes / granule) * granule;
    const runs = this.#free.take(length, granule);
    if (runs === null) {
      const { freeBytes } = this.stats();
      fail(
        'ENOMEM',
        `node ${this.id} has ${freeBytes} bytes free, ${length} asked: free some or online more blocks`,
      );
    }
    for (const run of runs) this.#used.add(run.start, run.length);
    try {
      const mapping = memory.map(runs, { access: 'shared', label: `node ${this.id}` });
      return this.#allocation(mapping, bytes, length, runs, onEnd);
    } catch (error) {
      this.#giveBack(runs);
      throw error;
    }
  }

  stats(): NodeStats {
    return {
      id: this.id,
      onlineBytes: this.#free.total + this.#used.total,
      usedBytes: this.#used.total,
      freeBytes: this.#free.total,
      allocations: this.#allocations,
    };
  }

  /** Adds the pages of a block that comes online. */
  addPages(start: number, length: number): void {
    this.#free.add(start, length);
  }

  /** Removes the pages of a block that goes offline. None of them may be in use. */
  removePages(start: number, length: number): void {
    this.#free.remove(start, length);
  }

  /** Takes bad free pages out of the allocator for good. */
  retire(start: number, length: number): void {
    this.#free.remove(start, length);
  }

  usedBytesIn(start: number, length: number): number {
    return this.#used.overlap(start, length);
  }

  #allocation(
    mapping: Mapping,
    bytes: number,
    length: number,
    runs: { start: number; length: number }[],
    onEnd: () => void,
  ): NodeAllocation {
    const buffer = mapping.give(new Uint8Array(mapping.buffer, 0, bytes));
    buffer.fill(0);
    this.#allocations++;
    let freed = false;
    const free = (): void => {
      if (freed) return;
      freed = true;
      // A moved buffer would show what the next owner of the pages stores: kill() puts zero pages in their place.
      const { isMoved } = mapping;
      mapping.close();
      if (isMoved) for (const { start, length } of runs) this.memory?.kill(start, length);
      this.#allocations--;
      this.#giveBack(runs);
      onEnd();
    };
    mapping.onKill(free);
    mapping.onCollected(free);
    return { buffer, hpa: runs[0]!.start, length, free, [Symbol.dispose]: free };
  }

  #giveBack(runs: { start: number; length: number }[]): void {
    for (const run of runs) {
      this.#used.remove(run.start, run.length);
      this.#free.add(run.start, run.length);
    }
  }

  /** The unit of allocation, bytes: the backing's granule. A huge page backing gives out huge pages. */
  #granule(memory: PhysicalMemory): number {
    const start = this.#free.list()[0]?.start;
    if (start === undefined) return PAGE_SIZE;
    return Math.max(PAGE_SIZE, memory.locate(start, PAGE_SIZE)[0]?.backing.granule ?? PAGE_SIZE);
  }
}

const nobodyAsks = () => {};
