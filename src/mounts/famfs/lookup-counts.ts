const FIRST_CAPACITY = 1024;

/** How many lookups the kernel holds of each inode of the log. A dense array, four bytes an inode, as their numbers are dense. */
export class LookupCounts {
  #counts = new Uint32Array(FIRST_CAPACITY);

  /** Counts one lookup: an answer carries an entry for the inode. */
  add(ino: number): void {
    if (ino >= this.#counts.length) this.#growTo(ino + 1);
    this.#counts[ino]!++;
  }

  /** The kernel has forgotten `count` lookups. @returns whether it holds none any more */
  take(ino: number, count: number): boolean {
    const left = (this.#counts[ino] ?? 0) - count;
    if (left > 0) this.#counts[ino] = left;
    else if (ino < this.#counts.length) this.#counts[ino] = 0;
    return left <= 0;
  }

  #growTo(length: number): void {
    const grown = new Uint32Array(Math.max(length, this.#counts.length * 2));
    grown.set(this.#counts);
    this.#counts = grown;
  }
}
