/** The devices of a volume by index: the primary device, then those that ADD_DAXDEV entries add (famfs-format.md 13). */
import type { ErrnoCode } from '../../libc/index.js';

export interface Daxdev {
  size: number;
  uuid: string;
}

/** C takes the limit from its caller. This default is more than any host has. */
const MAX_DAXDEVS = 256;

export class DaxdevTable {
  readonly #table: Daxdev[];
  /** Device sizes by devindex, bytes. The array grows with each add(). */
  readonly sizes: number[];
  readonly #max: number;

  constructor(primary: Daxdev, max = MAX_DAXDEVS) {
    this.#max = max;
    this.#table = [primary];
    this.sizes = [primary.size];
  }

  get count(): number {
    return this.#table.length;
  }

  get(index: number): Daxdev | undefined {
    return this.#table[index];
  }

  list(): readonly Daxdev[] {
    return this.#table;
  }

  /** Adds the next device. Checks in C's order; returns the first fault and leaves the table unchanged, or returns null. */
  add(index: number, daxdev: Daxdev): { code: ErrnoCode; message: string } | null {
    if (this.count >= this.#max) return { code: 'ENOSPC', message: `there are ${this.#max} devices already` };
    if (index !== this.count) {
      return { code: 'ERANGE', message: `device index ${index} is out of turn, want ${this.count}` };
    }
    if (this.#table.some((known) => known.uuid === daxdev.uuid)) {
      return { code: 'EEXIST', message: `device uuid ${daxdev.uuid} is there already` };
    }
    this.#table.push(daxdev);
    this.sizes.push(daxdev.size);
    return null;
  }

  /** A device for messages. */
  describe(devindex: number): string {
    const daxdev = this.get(devindex);
    return daxdev
      ? `device ${devindex} (uuid ${daxdev.uuid})`
      : `device ${devindex}, which no log entry names`;
  }
}
