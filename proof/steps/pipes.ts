/**
 * Two processes that speak in turns, each blocking until the other has spoken: no event loop in between, so nothing else happens. Lines of JSON
 * over two named pipes. A child whose parent has died reads the end, and ends.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { lazy } from '../../src/libc/load.js';

const POLLIN = 1;
const TICK_MS = 200;
/** Longer than any step on the busiest machine: then it hangs. */
const HANG_MS = 60_000;
const NEWLINE = 10;

const poll = lazy('int poll(void *descriptors, unsigned long count, int timeout)');
const mkfifo = lazy('int mkfifo(const char *path, unsigned int mode)');

class Lines {
  readonly #fd: number;
  #rest: Buffer = Buffer.alloc(0);
  readonly #chunk = Buffer.alloc(65_536);

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** A line that has come already. */
  take(): string | undefined {
    const end = this.#rest.indexOf(NEWLINE);
    if (end < 0) return undefined;
    const line = this.#rest.toString('utf8', 0, end);
    this.#rest = this.#rest.subarray(end + 1);
    return line;
  }

  /** Blocks. @returns false at the end */
  read(): boolean {
    const bytes = fs.readSync(this.#fd, this.#chunk, 0, this.#chunk.length, null);
    this.#rest = Buffer.concat([this.#rest, this.#chunk.subarray(0, bytes)]);
    return bytes > 0;
  }
}

/** The end of the process that was started: answers its parent. */
export class ParentPipe {
  readonly #lines: Lines;
  readonly #out: number;

  constructor(prefix: string) {
    this.#lines = new Lines(fs.openSync(`${prefix}.in`, 'r'));
    this.#out = fs.openSync(`${prefix}.out`, 'w');
  }

  say(message: unknown): void {
    fs.writeSync(this.#out, `${JSON.stringify(message)}\n`);
  }

  hear(): unknown {
    for (;;) {
      const line = this.#lines.take();
      if (line !== undefined) return JSON.parse(line);
      if (!this.#lines.read()) process.exit(0);
    }
  }
}

export class ChildDied extends Error {}
export class ChildHangs extends Error {}

export interface ChildOptions {
  /** Where its pipes lie. */
  directory: string;
  name: string;
  script: string;
  /** Its first argument, as JSON. */
  config: unknown;
  env?: NodeJS.ProcessEnv;
  preload?: string[];
  nodeFlags?: string[];
}

const living = new Set<ChildProcess>();
// Whatever ends this process ends them: also those that are stopped, which would never notice.
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

/** A process that this one has started, and speaks to. */
export class Child {
  readonly process: ChildProcess;
  readonly #lines: Lines;
  readonly #in: number;
  readonly #out: number;
  readonly #pollWords = new Int32Array(2);
  readonly name: string;
  readonly exited: Promise<void>;

  constructor(options: ChildOptions) {
    this.name = options.name;
    const prefix = path.join(options.directory, options.name);
    for (const end of ['in', 'out']) {
      fs.rmSync(`${prefix}.${end}`, { force: true });
      if (mkfifo(`${prefix}.${end}`, 0o600) !== 0) throw new Error(`mkfifo ${prefix}.${end} failed`);
    }
    this.#in = fs.openSync(`${prefix}.in`, 'r+');
    this.#out = fs.openSync(`${prefix}.out`, 'r+');
    this.#lines = new Lines(this.#out);
    const preload = (options.preload ?? []).flatMap((file) => ['--import', file]);
    this.process = spawn(
      process.execPath,
      [...(options.nodeFlags ?? []), ...preload, options.script, prefix, JSON.stringify(options.config)],
      { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, ...options.env } },
    );
    living.add(this.process);
    this.exited = new Promise((resolve) => {
      this.process.once('exit', () => {
        living.delete(this.process);
        resolve();
      });
    });
  }

  get pid(): number {
    return this.process.pid!;
  }

  say(message: unknown): void {
    fs.writeSync(this.#in, `${JSON.stringify(message)}\n`);
  }

  /** Blocks until it says something. @throws ChildDied, ChildHangs */
  hear(timeoutMs = HANG_MS): unknown {
    const line = this.hearLine(timeoutMs);
    return line === undefined ? this.#hangs() : JSON.parse(line);
  }

  /** Undefined when nothing came in time. @throws ChildDied nothing will */
  hearLine(timeoutMs: number): string | undefined {
    for (let left = timeoutMs; ; left -= TICK_MS) {
      const line = this.#lines.take();
      if (line !== undefined) return line;
      // Asked before the look: what it said before it died is there then.
      const { isAlive } = this;
      if (this.#hasMore(Math.max(0, Math.min(TICK_MS, left)))) this.#lines.read();
      else if (!isAlive) throw new ChildDied(`${this.name} (pid ${this.pid}) died`);
      else if (left <= TICK_MS) return undefined;
    }
  }

  #hasMore(timeoutMs: number): boolean {
    this.#pollWords[0] = this.#out;
    this.#pollWords[1] = POLLIN;
    return poll(this.#pollWords, 1, timeoutMs) > 0;
  }

  #hangs(): never {
    throw new ChildHangs(`${this.name} (pid ${this.pid}) does not come back`);
  }

  /**
   * Without the event loop, which learns of a death later: nobody has waited for it then, and it is a zombie. It has its files (and locks)
   * until its last thread is gone.
   */
  get isAlive(): boolean {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return false;
    return !/^[ZX]/.test(this.state) || this.#threads > 1;
  }

  get #threads(): number {
    try {
      return fs.readdirSync(`/proc/${this.pid}/task`).length;
    } catch {
      return 0;
    }
  }

  /** R, S, T (stopped), Z (dead), as /proc says. */
  get state(): string {
    try {
      return fs.readFileSync(`/proc/${this.pid}/stat`, 'latin1').split(') ')[1] ?? 'X';
    } catch {
      return 'X';
    }
  }

  /** Ends it for good, and its pipes. */
  async end(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) this.process.kill('SIGKILL');
    await this.exited;
    fs.closeSync(this.#in);
    fs.closeSync(this.#out);
  }
}
