import { type RangeOf, RangeSet } from './range-set.js';

/** The free bytes of a node. They are taken in whole pages. */
export class PageRuns extends RangeSet {
  /**
   * Takes `length` bytes, aligned to `granule`: from the first run that holds all of them, else from the lowest runs together.
   * @returns null, and takes nothing, when there are not enough
   */
  take(length: number, granule: number): RangeOf[] | null {
    const taken: RangeOf[] = [];
    const pieces = this.list()
      .map((run) => inGranules(run, granule))
      .filter((run) => run.length > 0);
    const whole = pieces.find((run) => run.length >= length);
    if (whole !== undefined) taken.push({ start: whole.start, length });
    else {
      let missing = length;
      for (const run of pieces) {
        if (missing === 0) break;
        const part = Math.min(missing, run.length);
        taken.push({ start: run.start, length: part });
        missing -= part;
      }
      if (missing > 0) return null;
    }
    for (const run of taken) this.remove(run.start, run.length);
    return taken;
  }
}

function inGranules(run: RangeOf, granule: number): RangeOf {
  const start = Math.ceil(run.start / granule) * granule;
  const end = Math.floor((run.start + run.length) / granule) * granule;
  return { start, length: Math.max(0, end - start) };
}
