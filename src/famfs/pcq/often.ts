/**
 * Spares a question that costs as much as the short work it guards. It is due at the first call in each turn of the event loop, at every
 * n-th after that, and again at once when the answer was no.
 */
export class Often {
  /** Calls for which one answer is enough, when nothing else runs between them. */
  readonly #callsInARow: number;
  /** Calls that the last answer is still good for. */
  #left = 0;
  /** The end of this turn of the event loop is waited for. */
  #isInTurn = false;

  constructor(callsInARow: number) {
    this.#callsInARow = callsInARow;
  }

  isDue(): boolean {
    if (this.#left === 0) return true;
    this.#left--;
    return false;
  }

  /** The question was asked, and the answer was yes. */
  passed(): void {
    this.#left = this.#callsInARow - 1;
    if (this.#isInTurn) return;
    this.#isInTurn = true;
    setImmediate(() => {
      this.#isInTurn = false;
      this.#left = 0;
    }).unref();
  }
}
