const FIRST_CAPACITY = 1024;

/** How many lookups of each inode of the log the kernel holds: four bytes an inode, since their numbers are dense. */
export class LookupCounts {
  #counts = new Uint32Array(FIRST_CAPACITY);

  /** An answer carries an entry for it. */
  add(ino: number): void {
    if (ino >= this.#counts.length) this.#growTo(ino + 1);
    this.#counts[ino]!++;
  }

  /** The kernel took some back. @returns whether it has none left */
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
