import type { DaxError, FsckReport, Volume } from '../../src/index.js';
import type { CacheFiles } from '../steps/cache-lines.js';

/** The paths of a world: one state directory for each host. */
export interface World {
  directory: string;
  /** State directories of the first and the second process; the same one when both are on one host. */
  roots: [string, string];
  /** System uuids of the two processes. */
  uuids: [string, string];
  /** Cache files of hosts with their own caches. */
  caches?: [CacheFiles, CacheFiles];
  /** State directory through which a third process looks at the memory itself. */
  judgeRoot: string;
}

/** The result that a process reported. */
export interface Told {
  value?: unknown;
  error?: { code: string; message: string };
  /** Result of Actor.after(). */
  after?: unknown;
  /** Milliseconds spent waiting for locks. */
  waited: number;
}

/** One of the two processes. It lives longer than a run. */
export interface Actor<S> {
  open(world: World, me: 0 | 1): S;
  /** Runs under the schedule. `run` is a number that is unique in this world, for names. */
  run(state: S, run: number, world: World): unknown;
  /** Runs after both processes are done, without a schedule. Undoes what run() left, and may report more. */
  after?(state: S, run: number): unknown;
  close(state: S): void;
}

/** What the judge sees: a third process that looks at the memory itself. */
export interface Look {
  world: World;
  run: number;
  told: [Told, Told];
  volume: Volume;
  fsck: FsckReport;
}

export interface Protocol {
  readonly name: string;
  /** A description for the table. */
  readonly about: string;
  readonly hosts: 1 | 2;
  // biome-ignore lint/suspicious/noExplicitAny: each actor knows its own state, nobody else looks at it
  readonly actors: [Actor<any>, Actor<any>];
  /** Called once for each world, before the processes open anything. */
  setUp?(volume: Volume): void;
  /** Called by the judge before each run. */
  prepare?(world: World, run: number): void;
  /** @returns problems */
  judge(look: Look): string[];
  /** Errors that a process may get. */
  readonly allowed?: readonly DaxError['code'][];
  /** Number of runs before a new world is made; default 150. */
  readonly runsInWorld?: number;
}
