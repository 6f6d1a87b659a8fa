/** Minor numbers: lowest free. One that an open file still uses is not given out again. */
export class Minors {
  readonly #used = new Set<number>();

  allocate(): number {
    let minor = 0;
    while (this.#used.has(minor)) minor++;
    this.#used.add(minor);
    return minor;
  }

  /** Takes a stored number (restore). */
  reserve(minor: number): void {
    this.#used.add(minor);
  }

  free(minor: number): void {
    this.#used.delete(minor);
  }
}
