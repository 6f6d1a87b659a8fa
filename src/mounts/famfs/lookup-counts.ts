const FIRST_CAPACITY = 1024;
/** Inode numbers from here on are counted one by one: those that no log entry has are far beyond the others. */
const DENSE_END = 2 ** 24;

/** How many lookups the kernel holds of each inode of the volume. A dense array, four bytes an inode, as most numbers are dense. */
export class LookupCounts {
  #counts = new Uint32Array(FIRST_CAPACITY);
  readonly #sparse = new Map<number, number>();

  /** Counts one lookup: an answer carries an entry for the inode. */
  add(ino: number): void {
    if (ino >= DENSE_END) {
      this.#sparse.set(ino, (this.#sparse.get(ino) ?? 0) + 1);
      return;
    }
    if (ino >= this.#counts.length) this.#growTo(ino + 1);
    this.#counts[ino]!++;
  }

  /** The kernel has forgotten `count` lookups. @returns whether it holds none any more */
  take(ino: number, count: number): boolean {
    const left = this.#of(ino) - count;
    if (ino >= DENSE_END) {
      if (left > 0) this.#sparse.set(ino, left);
      else this.#sparse.delete(ino);
    } else if (ino < this.#counts.length) this.#counts[ino] = Math.max(0, left);
    return left <= 0;
  }

  /** Counts an inode no longer. @returns how many lookups the kernel holds of it */
  takeAll(ino: number): number {
    const count = this.#of(ino);
    this.take(ino, count);
    return count;
  }

  #of(ino: number): number {
    return (ino >= DENSE_END ? this.#sparse.get(ino) : this.#counts[ino]) ?? 0;
  }

  #growTo(length: number): void {
    const grown = new Uint32Array(Math.min(DENSE_END, Math.max(length, this.#counts.length * 2)));
    grown.set(this.#counts);
    this.#counts = grown;
  }
}
