/** A set of bytes as sorted, merged runs: what a node has free, what it gave out. */
export interface PageRun {
  start: number;
  length: number;
}

export class PageRuns {
  #runs: PageRun[] = [];

  get total(): number {
    return this.#runs.reduce((sum, run) => sum + run.length, 0);
  }

  /** Start of the lowest run. */
  get first(): number | undefined {
    return this.#runs[0]?.start;
  }

  add(start: number, length: number): void {
    const end = start + length;
    const runs = this.#runs;
    let at = runs.findIndex((run) => run.start + run.length >= start);
    if (at < 0) at = runs.length;
    let last = at;
    let from = start;
    let to = end;
    while (last < runs.length && runs[last]!.start <= end) {
      from = Math.min(from, runs[last]!.start);
      to = Math.max(to, runs[last]!.start + runs[last]!.length);
      last++;
    }
    runs.splice(at, last - at, { start: from, length: to - from });
  }

  remove(start: number, length: number): void {
    const end = start + length;
    const left: PageRun[] = [];
    for (const run of this.#runs) {
      const runEnd = run.start + run.length;
      if (run.start < start) left.push({ start: run.start, length: Math.min(runEnd, start) - run.start });
      if (runEnd > end)
        left.push({ start: Math.max(run.start, end), length: runEnd - Math.max(run.start, end) });
    }
    this.#runs = left.filter((run) => run.length > 0);
  }

  bytesIn(start: number, length: number): number {
    const end = start + length;
    let bytes = 0;
    for (const run of this.#runs)
      bytes += Math.max(0, Math.min(end, run.start + run.length) - Math.max(start, run.start));
    return bytes;
  }

  /** Takes `length` bytes in pieces of `granule`: the first run that holds all, else the lowest runs together; null if short. */
  take(length: number, granule: number): PageRun[] | null {
    const taken: PageRun[] = [];
    const pieces = this.#runs.map((run) => inGranules(run, granule)).filter((run) => run.length > 0);
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

function inGranules(run: PageRun, granule: number): PageRun {
  const start = Math.ceil(run.start / granule) * granule;
  const end = Math.floor((run.start + run.length) / granule) * granule;
  return { start, length: Math.max(0, end - start) };
}
