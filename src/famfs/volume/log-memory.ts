import type { DaxDevice } from '../../dax/index.js';
import { PAGE_SIZE } from '../../mm/index.js';
import { slotOffset } from '../media/layout.js';
import type { Log } from '../media/log.js';

const STEP_BYTES = 2 ** 20;

/** Gives the log of a sparse image its space in steps, before a store needs it. So a full disk is ENOSPC, not SIGBUS. */
export class LogMemory {
  readonly #log: Log;
  readonly #dax: DaxDevice;
  /** The end of the part of the log that is known to have memory, bytes from its start. */
  #end = 0;

  constructor(log: Log, dax: DaxDevice) {
    this.#log = log;
    this.#dax = dax;
  }

  /** Makes sure that slot `index` can be stored to. @throws DaxError ENOSPC, EIO */
  ensureFor(index: number): void {
    const { length, offset } = this.#log;
    const end = Math.min(length, slotOffset(index + 1));
    if (end <= this.#end) return;
    const from = slotOffset(index) - (slotOffset(index) % STEP_BYTES);
    const to = Math.min(length, Math.ceil(end / STEP_BYTES) * STEP_BYTES);
    const header = this.#dax.physicalRanges(offset, PAGE_SIZE);
    for (const range of [...header, ...this.#dax.physicalRanges(offset + from, to - from)]) {
      this.#dax.memory.ensure(range.start, range.length);
    }
    this.#end = to;
  }
}
