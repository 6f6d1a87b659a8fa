/** A machine and the processes that work on it, with the kills and stops that they get. */
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createQueue, type Machine, mkfs, mountFamfs, openMachine } from '../../src/index.js';
import { hasCode } from '../../src/libc/index.js';
import { Child, ChildDied } from '../steps/pipes.js';
import { makeMachine, memoryDirectory, privateTmpfs, removeDirectories, usedBytes } from '../steps/world.js';
import type { ChildConfig } from './child.js';
import { Ledger } from './ledger.js';
import { makeRewritten } from './rewritten.js';
import { isFair, type Line, type Operation, OTHER_DEVICE, QUEUE, SCRATCH_DEVICE, type Word } from './work.js';

const MIB = 2 ** 20;
/** system-ram needs whole memory blocks. */
const SIZES = [256 * MIB, 128 * MIB, 32 * MIB, 32 * MIB];
/**
 * A blocked call is refused after 0.1 s, but on a busy machine this process may not run for seconds. (npm run interleave checks
 * the bound itself, on a clock that advances only while the code waits.)
 */
const BOUND_MS = 15_000;
/**
 * The first attempt has no patience. When this process does not get to run, the search for the lock's holder may be cut short.
 */
const PATIENCE = [{}, ...Array.from({ length: 5 }, () => ({ lockWaitMs: 200 }))];
const HANG_MS = 90_000;

export interface Job {
  operations: Operation[];
  at?: { step: number; signal: 'SIGKILL' | 'SIGSTOP' };
  /** The parent kills the process as soon as it reports that it began this operation. */
  killAtOperation?: number;
}

interface Worker {
  child: Child;
  job: Job;
  /** Index of the operation that it is doing. */
  current: number | undefined;
  state: 'idle' | 'working' | 'stopped' | 'dead';
  steps: number;
}

export class Crew {
  readonly ledger = new Ledger();
  readonly figures = { kills: 0, stops: 0, told: 0, refusals: 0 };
  /** Time until the slowest of these refusals. */
  longestRefusalMs = 0;
  readonly #directory = memoryDirectory('kill');
  readonly #place: string;
  readonly #isPrivate: boolean;
  readonly #usedBefore: number;
  readonly #workers: Worker[] = [];
  readonly #problems: string[] = [];
  #world = 0;
  /** Number of names made beside a stopped process. */
  #beside = 0;
  #spawned = 0;

  constructor(readonly count: number) {
    const tmpfs = privateTmpfs(this.#directory, 512);
    this.#isPrivate = tmpfs !== undefined;
    this.#place = tmpfs ?? this.#directory;
    this.#usedBefore = usedBytes(this.#place);
    this.#makeWorld();
  }

  get #root(): string {
    return path.join(this.#place, `machine${this.#world}`);
  }

  #makeWorld(): void {
    this.#world++;
    makeMachine({ root: this.#root, sizes: SIZES });
    const machine = openMachine(this.#root);
    machine.reconfigure(SCRATCH_DEVICE, 'famfs');
    mkfs(machine.device(SCRATCH_DEVICE));
    makeRewritten(machine);
    const volume = mountFamfs(machine.device('dax0.0'));
    createQueue(volume, QUEUE, { nbuckets: 8, bucketSize: 64 });
    volume.close();
    machine.close();
    this.ledger.forget();
  }

  #spawn(index: number): Worker {
    const config: ChildConfig = { root: this.#root, directory: this.#directory, index };
    const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
    const child = new Child({
      directory: this.#directory,
      name: `worker${index}-${this.#spawned++}`,
      script: file('./child.js'),
      preload: [file('../steps/seams.js')],
      config,
    });
    child.say({ do: 'open' } satisfies Word);
    return { child, job: { operations: [] }, current: undefined, state: 'working', steps: 0 };
  }

  /** Returns the figures since the last call, as a row of the result. */
  takeFigures(): { kills: number; stops: number; told: number; 'refused by name': number } {
    const { kills, stops, told, refusals } = this.figures;
    Object.assign(this.figures, { kills: 0, stops: 0, told: 0, refusals: 0 });
    return { kills, stops, told, 'refused by name': refusals };
  }

  /** Makes sure that all processes are alive and idle. Makes a new world when the old one is nearly full. */
  async ready(filesWanted: number): Promise<void> {
    if (this.ledger.size + filesWanted > 100) {
      for (const { child } of this.#workers) await child.end();
      this.#workers.length = 0;
      fs.rmSync(this.#root, { recursive: true, force: true });
      this.#makeWorld();
    }
    for (let index = 0; index < this.count; index++) {
      const known = this.#workers[index];
      if (known && known.state !== 'dead') continue;
      await known?.child.end();
      this.#workers[index] = this.#spawn(index);
    }
    this.#watchAll();
    for (const worker of this.#workers) this.#mustBeIdle(worker);
    // Lets this process handle signals, and deaths of others.
    await new Promise((resolve) => setImmediate(resolve));
  }

  #mustBeIdle({ child, state }: Worker): void {
    if (state !== 'idle') throw new Error(`${child.name} is ${state}, when nothing is to do`);
  }

  /**
   * Gives each process its job and handles stopped ones, until all are idle or dead.
   * @returns problems; steps of the first process
   */
  round(
    jobs: readonly Job[],
    afterStop: 'SIGCONT' | 'SIGKILL' = 'SIGCONT',
    isJudged = true,
  ): { problems: string[]; steps: number } {
    this.#problems.length = 0;
    for (const [index, job] of jobs.entries()) {
      const worker = this.#workers[index]!;
      Object.assign(worker, { job, state: 'working', current: undefined, steps: 0 });
      const { operations, at } = job;
      worker.child.say({ do: 'work', operations, ...(at && { at }) } satisfies Word);
    }
    this.#watchAll();
    for (const worker of this.#workers) {
      if (worker.state !== 'stopped') continue;
      this.figures.stops++;
      this.#lookBeside(worker);
      process.kill(worker.child.pid, afterStop);
      worker.state = 'working';
    }
    this.#watchAll();
    if (isJudged) this.#problems.push(...this.ledger.verify(this.#root));
    return { problems: [...this.#problems], steps: this.#workers[0]!.steps };
  }

  /** Waits until no process works. A process that waits for a stopped one still works and is left alone. */
  #watchAll(): void {
    const deadline = performance.now() + HANG_MS;
    for (;;) {
      const working = this.#workers.filter(({ state }) => state === 'working');
      if (working.length === 0) return;
      for (const worker of working) this.#hear(worker);
      const isAnyStopped = this.#workers.some(({ state }) => state === 'stopped');
      if (isAnyStopped && working.every((worker) => this.#waitsForLock(worker))) return;
      if (performance.now() > deadline) throw new Error(`${working[0]!.child.name} does not come back`);
    }
  }

  /** Whether a process is blocked by the lock of a stopped one: it sends nothing and sleeps. */
  #waitsForLock(worker: Worker): boolean {
    return worker.state !== 'working' || (worker.current !== undefined && !this.#hear(worker));
  }

  /** @returns whether a message came */
  #hear(worker: Worker): boolean {
    try {
      const line = worker.child.hearLine(20);
      if (line !== undefined) {
        this.#note(worker, JSON.parse(line) as Line);
        return true;
      }
      if (worker.child.state.startsWith('T')) worker.state = 'stopped';
    } catch (error) {
      if (!(error instanceof ChildDied)) throw error;
      this.figures.kills++;
      worker.state = 'dead';
      const place = worker.current;
      this.ledger.died(place === undefined ? undefined : worker.job.operations[place]);
    }
    return false;
  }

  #note(worker: Worker, line: Line): void {
    if ('done' in line) {
      worker.state = 'idle';
      worker.steps = line.steps;
      return;
    }
    if ('began' in line) {
      worker.current = line.began;
      this.ledger.began(worker.job.operations[line.began]!);
      if (worker.job.killAtOperation === line.began) process.kill(worker.child.pid, 'SIGKILL');
      return;
    }
    worker.current = undefined;
    const operation = worker.job.operations[line.ended]!;
    this.ledger.ended(operation, line, this.#workers.indexOf(worker));
    this.figures.told++;
    if (line.error && !isFair(operation, line.error.code)) {
      this.#problems.push(
        `${operation.kind} ${operation.name} was refused: ${line.error.message} (${line.error.code})`,
      );
    }
  }

  /** While a process is stopped: readers can read, and a call that needs the stopped process's lock is refused and names it. */
  #lookBeside(stopped: Worker): void {
    const machine = openMachine(this.#root);
    try {
      const volume = mountFamfs(machine.device('dax0.0'), { readOnly: true });
      this.#problems.push(
        ...this.ledger.readable(volume).map((problem) => `beside a stopped writer: ${problem}`),
      );
      volume.close();
    } finally {
      machine.close();
    }
    const name = `/beside${this.#beside++}`;
    const isMade = this.#refused(stopped, (one, patience) => {
      const volume = mountFamfs(one.device('dax0.0'), patience);
      try {
        volume.mkdir(name);
      } finally {
        volume.close();
      }
    });
    if (isMade) this.ledger.ended({ kind: 'mkdir', name }, { ended: 0 });
    this.#refused(stopped, (one) => one.reconfigure(OTHER_DEVICE, 'devdax', { force: true }));
  }

  /** @returns true when the call succeeded. A refusal must come within the bound and name the lock's holder */
  #refused(stopped: Worker, act: (machine: Machine, patience: { lockWaitMs?: number }) => void): boolean {
    for (const [attempt, patience] of PATIENCE.entries()) {
      const machine = openMachine(this.#root, patience);
      const started = performance.now();
      try {
        act(machine, patience);
        return true;
      } catch (error) {
        if (!hasCode(error, 'EBUSY')) throw error;
        const ms = performance.now() - started;
        const { message } = error as Error;
        this.figures.refusals++;
        this.longestRefusalMs = Math.max(this.longestRefusalMs, Math.round(ms));
        if (ms > BOUND_MS) this.#problems.push(`refused after ${Math.round(ms)} ms: ${message}`);
        if (message.includes(`pid ${stopped.child.pid} (`)) return false;
        if (attempt === PATIENCE.length - 1 && hasLockFor(stopped.child.pid, message))
          this.#problems.push(`refused without its name (pid ${stopped.child.pid}): ${message}`);
      } finally {
        machine.close();
      }
    }
    return false;
  }

  /** Ends all processes and checks that nothing is left. @returns problems */
  async end(): Promise<string[]> {
    for (const { child } of this.#workers) await child.end();
    this.#workers.length = 0;
    fs.rmSync(this.#root, { recursive: true, force: true });
    const left = this.#isPrivate ? usedBytes(this.#place) - this.#usedBefore : 0;
    removeDirectories();
    return left === 0 ? [] : [`${left} bytes of the host's memory did not come back`];
  }
}

/**
 * Whether a process has the lock that a refusal is about. If not, other working processes were briefly in the way, and had
 * released the lock when the search began.
 */
function hasLockFor(pid: number, refusal: string): boolean {
  const start = refusal.startsWith('the log of')
    ? '2097152'
    : refusal.includes('being changed by')
      ? '0'
      : undefined;
  const directory = `/proc/${pid}/fdinfo`;
  return fs.readdirSync(directory).some((fd) => {
    const info = fs.readFileSync(path.join(directory, fd), 'latin1');
    const locks = [...info.matchAll(/^lock:.* WRITE .* (\d+) (\d+|EOF)$/gm)];
    return locks.some(([, first]) => (start === undefined ? Number(first) >= 2 ** 61 : first === start));
  });
}
