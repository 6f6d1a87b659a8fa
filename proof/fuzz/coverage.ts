import { Session } from 'node:inspector';

/**
 * The blocks of src/ that ran since the last look, as V8 counts them. A look costs milliseconds, so there is one for each batch.
 */
export class Coverage {
  readonly #session = new Session();
  readonly #seen = new Set<string>();

  start(): void {
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** @returns the blocks that ran since the last look and are not kept yet */
  look(): string[] {
    const found: string[] = [];
    this.#session.post('Profiler.takePreciseCoverage', (error, answer) => {
      if (error) throw error;
      for (const { url, functions } of answer.result) {
        if (!url.includes('/src/')) continue;
        for (const { ranges } of functions) {
          for (const { startOffset, endOffset, count } of ranges) {
            if (count === 0) continue;
            const key = `${url}:${startOffset}-${endOffset}`;
            if (!this.#seen.has(key)) found.push(key);
          }
        }
      }
    });
    return found;
  }

  keep(blocks: readonly string[]): void {
    for (const block of blocks) this.#seen.add(block);
  }

  get blocks(): number {
    return this.#seen.size;
  }
}
