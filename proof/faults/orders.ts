/**
 * How the main thread tells the injector of a mount's worker what shall fail, and hears what did. They share a few words of memory
 * (Node's environment data of workers) and a file, since the worker takes no messages while it serves.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads';
import type { Fault, Hit } from './injector.js';

const KEY = 'udax-proof-orders';
const [GENERATION, STEP, CHOICE, IS_DOUBLE] = [0, 1, 2, 3];
const NOTHING = -1;
// The real functions: patches.ts replaces those of `fs` later.
const { appendFileSync, readFileSync, writeFileSync, rmSync } = fs;

export type WorkerHit = Hit & { choices: number };

/** The worker's side. */
export class WorkerOrders {
  readonly #words: Int32Array;
  readonly #file: string;
  #generation = 0;

  constructor({ memory, file }: { memory: SharedArrayBuffer; file: string }) {
    this.#words = new Int32Array(memory);
    this.#file = file;
  }

  /** Undefined when there is no new order; null when nothing shall fail any more. */
  next(): Fault | null | undefined {
    const generation = Atomics.load(this.#words, GENERATION);
    if (generation === this.#generation) return undefined;
    this.#generation = generation;
    const [, step, choice, isDouble] = this.#words;
    return step === NOTHING ? null : { step: step!, choice: choice!, isDouble: isDouble === 1 };
  }

  tell(hit: WorkerHit): void {
    appendFileSync(this.#file, `${JSON.stringify(hit)}\n`);
  }
}

/** In a worker: its orders. Undefined in threads that get none. */
export function ordersOfThisWorker(): WorkerOrders | undefined {
  const given = getEnvironmentData(KEY) as { memory: SharedArrayBuffer; file: string } | undefined;
  return given === undefined ? undefined : new WorkerOrders(given);
}

const memory = new SharedArrayBuffer(16);
const words = new Int32Array(memory);
const file = path.join(os.tmpdir(), `udax-proof-hits-${process.pid}`);

if (isMainThread) setEnvironmentData(KEY, { memory, file } as never);

/** The main thread's side: all workers obey. */
export function orderWorkers(fault: Fault): void {
  writeFileSync(file, '');
  words[STEP] = fault.step;
  words[CHOICE] = fault.choice;
  words[IS_DOUBLE] = fault.isDouble ? 1 : 0;
  Atomics.add(words, GENERATION, 1);
}

/** Nothing fails any more. @returns what did */
export function endOrders(): WorkerHit[] {
  words[STEP] = NOTHING;
  Atomics.add(words, GENERATION, 1);
  const lines = readFileSync(file, 'utf8').split('\n');
  rmSync(file);
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as WorkerHit);
}
