/**
 * Two processes that talk in turns. Each blocks until the other has sent a message. No event loop runs in between, so nothing
 * else happens. The messages are lines of JSON over two named pipes. A child whose parent has died reads the end of its pipe, and
 * exits.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { lazy } from '../../src/libc/load.js';

const POLLIN = 1;
const TICK_MS = 200;
/** Longer than any step on the busiest machine: a child that takes this long hangs. */
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

  /** A line that has been read already. */
  take(): string | undefined {
    const end = this.#rest.indexOf(NEWLINE);
    if (end < 0) return undefined;
    const line = this.#rest.toString('utf8', 0, end);
    this.#rest = this.#rest.subarray(end + 1);
    return line;
  }

  /** Blocks until bytes come. @returns false at the end of the pipe */
  read(): boolean {
    const bytes = fs.readSync(this.#fd, this.#chunk, 0, this.#chunk.length, null);
    this.#rest = Buffer.concat([this.#rest, this.#chunk.subarray(0, bytes)]);
    return bytes > 0;
  }
}

/** The child's end: it answers the parent. */
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
  /** Directory of the pipes. */
  directory: string;
  name: string;
  script: string;
  /** The child's configuration, passed as JSON. */
  config: unknown;
  env?: NodeJS.ProcessEnv;
  preload?: string[];
  nodeFlags?: string[];
}

const living = new Set<ChildProcess>();
// When this process ends for any reason, it kills its children. A stopped child would not notice otherwise.
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

/** A child process, seen from its parent. */
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

  /** Blocks until the child sends a message. @throws ChildDied, ChildHangs */
  hear(timeoutMs = HANG_MS): unknown {
    const line = this.hearLine(timeoutMs);
    return line === undefined ? this.#hangs() : JSON.parse(line);
  }

  /** Undefined when nothing came in time. @throws ChildDied nothing will come */
  hearLine(timeoutMs: number): string | undefined {
    for (let left = timeoutMs; ; left -= TICK_MS) {
      const line = this.#lines.take();
      if (line !== undefined) return line;
      // Read before looking for data: everything that the child sent before it died is then in the pipe.
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
   * Whether the child lives. Works without the event loop, which learns of a death later: nobody has waited for the child then,
   * and it is a zombie. It keeps its files (and locks) until its last thread has ended.
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

  /** R, S, T (stopped) or Z (dead), as in /proc. */
  get state(): string {
    try {
      return fs.readFileSync(`/proc/${this.pid}/stat`, 'latin1').split(') ')[1] ?? 'X';
    } catch {
      return 'X';
    }
  }

  /** Kills the child and closes its pipes. */
  async end(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) this.process.kill('SIGKILL');
    await this.exited;
    fs.closeSync(this.#in);
    fs.closeSync(this.#out);
  }
}
