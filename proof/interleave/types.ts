import type { DaxError, FsckReport, Volume } from '../../src/index.js';
import type { CacheFiles } from '../steps/cache-lines.js';

/** Where things are: one state directory a host. */
export interface World {
  directory: string;
  /** State directories: of the first process, of the second; one and the same on one host. */
  roots: [string, string];
  /** System uuids of the two. */
  uuids: [string, string];
  /** Of hosts whose caches are their own. */
  caches?: [CacheFiles, CacheFiles];
  /** Machine through which a third process looks at the memory itself. */
  judgeRoot: string;
}

/** What a process was told. */
export interface Told {
  value?: unknown;
  error?: { code: string; message: string };
  /** What Actor.after() gave. */
  after?: unknown;
  /** Milliseconds of waiting for locks. */
  waited: number;
}

/** One of the two processes. It lives longer than a run. */
export interface Actor<S> {
  open(world: World, me: 0 | 1): S;
  /** Under the schedule. `run` is a number of this world's own, for names. */
  run(state: S, run: number, world: World): unknown;
  /** After both ran, free again: puts back what run() left, and may say more. */
  after?(state: S, run: number): unknown;
  close(state: S): void;
}

/** The judge: a third process, with everything as the memory says. */
export interface Look {
  world: World;
  run: number;
  told: [Told, Told];
  volume: Volume;
  fsck: FsckReport;
}

export interface Protocol {
  readonly name: string;
  /** For the reader of a table. */
  readonly about: string;
  readonly hosts: 1 | 2;
  // biome-ignore lint/suspicious/noExplicitAny: each actor knows its own state, nobody else looks at it
  readonly actors: [Actor<any>, Actor<any>];
  /** Once a world, before anybody else is there. */
  setUp?(volume: Volume): void;
  /** Before each run, by the judge. */
  prepare?(world: World, run: number): void;
  /** @returns what is wrong */
  judge(look: Look): string[];
  /** Errors that a process may be told. */
  readonly allowed?: readonly DaxError['code'][];
  /** Runs until a new world is made; default 150. */
  readonly runsInWorld?: number;
}
