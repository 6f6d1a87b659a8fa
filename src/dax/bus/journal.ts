import type { Incident } from '../core/platform.js';

const MOST_LOG_LINES = 10_000;

/** What happened on a bus: kernel log lines until somebody takes them, and what quirks made go wrong. */
export class Journal {
  readonly incidents: Incident[] = [];
  #lines: string[] = [];

  /** One kernel log line of a level (0 emergency to 7 debug). The oldest go when nobody takes any. */
  log(level: number, text: string): void {
    this.#lines.push(`<${level}>${text}`);
    if (this.#lines.length > MOST_LOG_LINES) this.#lines.shift();
  }

  /** Lines since the last call. */
  take(): string[] {
    return this.#lines.splice(0);
  }
}
