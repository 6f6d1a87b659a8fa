import { fail } from '../libc/index.js';
import type { MemoryNode } from './memory-node.js';

export type Zone = 'Normal' | 'Movable';

/**
 * Adjacent memory blocks that were added together. It holds one state for all, and the blocks that differ from it, so that a
 * range of thousands of blocks costs no more than a range of two.
 */
export class MemoryRange {
  /** Zone of the blocks that are not in `#others`; null offline. */
  #zone: Zone | null = null;
  readonly #others = new Map<number, Zone | null>();

  constructor(
    /** Id of the first block. */
    readonly first: number,
    readonly count: number,
    readonly blockBytes: number,
    readonly node: MemoryNode,
    /** The device that the memory belongs to. */
    readonly device: string,
  ) {}

  /** Id after the last block. */
  get end(): number {
    return this.first + this.count;
  }

  has(id: number): boolean {
    return id >= this.first && id < this.end;
  }

  /** Zone a block is online in; null offline. */
  zoneOf(id: number): Zone | null {
    const other = this.#others.get(id);
    return other === undefined ? this.#zone : other;
  }

  /** Onlines all blocks, which must be offline: gives their pages to the node. */
  onlineAll(zone: Zone): void {
    this.node.addPages(this.first * this.blockBytes, this.count * this.blockBytes);
    this.#zone = zone;
    this.#others.clear();
  }

  /** Onlines a block: gives its pages to the node. */
  online(id: number, zone: Zone): void {
    this.node.addPages(id * this.blockBytes, this.blockBytes);
    this.#setZone(id, zone);
  }

  /** Offlines a block: takes its pages back. @throws DaxError EBUSY some are given out */
  offline(id: number): void {
    const used = this.node.usedBytesIn(id * this.blockBytes, this.blockBytes);
    if (used > 0) fail('EBUSY', `memory${id} has ${used} bytes in use: free them, then offline it`);
    this.node.removePages(id * this.blockBytes, this.blockBytes);
    this.#setZone(id, null);
  }

  /** Offlines all blocks, up to the first one that is in use. @throws DaxError EBUSY */
  offlineAll(): void {
    const start = this.first * this.blockBytes;
    const length = this.count * this.blockBytes;
    if (this.node.usedBytesIn(start, length) === 0) {
      this.node.removePages(start, length);
      this.#zone = null;
      this.#others.clear();
      return;
    }
    for (let id = this.first; id < this.end; id++) if (this.zoneOf(id) !== null) this.offline(id);
  }

  /** The lowest block whose zone `wanted` accepts. */
  firstWhere(wanted: (zone: Zone | null) => boolean): number | undefined {
    return this.#search(this.first, 1, wanted);
  }

  /** The highest block whose zone `wanted` accepts. */
  lastWhere(wanted: (zone: Zone | null) => boolean): number | undefined {
    return this.#search(this.end - 1, -1, wanted);
  }

  /** Checks the blocks that differ from the common state, and the nearest one that does not. */
  #search(from: number, step: 1 | -1, wanted: (zone: Zone | null) => boolean): number | undefined {
    const found = [...this.#others].filter(([, zone]) => wanted(zone)).map(([id]) => id);
    if (wanted(this.#zone) && this.#others.size < this.count) {
      let id = from;
      while (this.#others.has(id)) id += step;
      found.push(id);
    }
    if (found.length === 0) return undefined;
    return step > 0 ? Math.min(...found) : Math.max(...found);
  }

  #setZone(id: number, zone: Zone | null): void {
    if (zone === this.#zone) this.#others.delete(id);
    else this.#others.set(id, zone);
  }
}
