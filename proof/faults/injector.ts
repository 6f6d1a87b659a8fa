/** Which step fails, and how. One injector a thread; patches.ts puts it into the way of the calls. */

/** Calls that give something back: what double mode lets fail after the first failure. */
export const CLEANING = new Set([
  'closeSync',
  'close',
  'rmSync',
  'unlinkSync',
  'rmdirSync',
  'ftruncateSync',
  'munmap()',
  'close()',
]);

export interface Fault {
  /** From 1; 0 counts only. */
  step: number;
  /** Which of the errnos that the call can have; wraps around. */
  choice: number;
  /** The next step of cleaning up fails too. */
  isDouble: boolean;
}

export interface Hit {
  step: number;
  name: string;
  code: string;
  stack: string;
}

class Injector {
  #fault: Fault = { step: 0, choice: 0, isDouble: false };
  #isArmed = false;
  #depth = 0;
  steps: string[] = [];
  hits: Hit[] = [];
  /** Errnos that the step can have: how often it is worth failing. */
  choices = 0;
  onStep: ((name: string) => void) | undefined;

  arm(fault: Fault): void {
    this.#fault = fault;
    this.steps = [];
    this.hits = [];
    this.choices = 0;
    this.#isArmed = true;
  }

  disarm(): void {
    this.#isArmed = false;
  }

  /** Steps inside a step are parts of it. */
  within<T>(act: () => T): T {
    this.#depth++;
    try {
      return act();
    } finally {
      this.#depth--;
    }
  }

  /** A step is about to be taken: the code it fails with, or nothing. */
  next(name: string, codes: readonly string[]): string | undefined {
    if (!this.#isArmed || this.#depth > 0 || codes.length === 0) return undefined;
    this.steps.push(name);
    this.onStep?.(name);
    const { step, choice, isDouble } = this.#fault;
    const isFirst = this.steps.length === step;
    const isSecond = isDouble && this.hits.length === 1 && CLEANING.has(name);
    if (!isFirst && !isSecond) return undefined;
    if (isFirst) this.choices = codes.length;
    const code = codes[choice % codes.length]!;
    const stack = (new Error().stack ?? '')
      .split('\n')
      .filter((line) => line.includes('/src/'))
      .slice(0, 6)
      .join('\n');
    this.hits.push({ step: this.steps.length, name, code, stack });
    return code;
  }
}

export const injector = new Injector();
