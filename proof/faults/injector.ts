/** Decides which step fails, and how. Each thread has one injector; patches.ts routes the calls through it. */
import type { WorkerOrders } from './orders.js';

/** Calls that release something: double mode lets one of them fail after the first failure. */
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
  /** Number of the step, from 1; with 0 the steps are only counted. */
  step: number;
  /** Index of the errno, among those that the call can have; wraps around. */
  choice: number;
  /** The next step that releases something fails too. */
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
  /** Number of errnos that the step can have, and so of ways in which it can fail. */
  choices = 0;
  #orders: WorkerOrders | undefined;

  /** In a thread that serves a mount: does what the main thread orders. */
  follow(orders: WorkerOrders): void {
    this.#orders = orders;
  }

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

  /** Runs a step. Steps inside it are parts of it and do not count. */
  within<T>(act: () => T): T {
    this.#depth++;
    try {
      return act();
    } finally {
      this.#depth--;
    }
  }

  /** Called before each step. Returns the errno with which it must fail; undefined when it must not. */
  next(name: string, codes: readonly string[]): string | undefined {
    const order = this.#orders?.next();
    if (order === null) this.disarm();
    else if (order !== undefined) this.arm(order);
    if (!this.#isArmed || this.#depth > 0 || codes.length === 0) return undefined;
    this.steps.push(name);
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
    const hit = { step: this.steps.length, name, code, stack };
    this.hits.push(hit);
    this.within(() => this.#orders?.tell({ ...hit, choices: this.choices }));
    return code;
  }
}

export const injector = new Injector();
