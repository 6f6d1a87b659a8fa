import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { isError } from '../../src/libc/index.js';
import type { Explored, ExploreOptions } from '../crash/explore.js';
import { randomFrom } from '../crash/random.js';
import type { Finding } from '../crash/scope.js';
import { placeOf } from '../media/caller.js';
import { Disk, type DiskImage, keyOfImage } from './disk.js';
import type { FileEvent, FileTrace, NameEvent, SyncEvent } from './events.js';
import { FileTracer } from './trace-files.js';

/** An operation on a state directory whose crashes are explored. */
export interface FileScope {
  readonly name: string;
  readonly about: string;
  /** @param top the directory above the state directory */
  prepare(top: string): void;
  act(top: string, mark: () => void): void;
  read(top: string): string;
  readonly alsoAllowed?: RegExp;
  goOn(top: string, text: string): void;
  readonly mutants: readonly FileMutant[];
}

export interface FileMutant {
  readonly name: string;
  readonly about: string;
  change(events: readonly FileEvent[]): FileEvent[];
}

/** Uses a file system in memory if there is one: only the calls are real here, not the disk. */
function withDirectory<T>(use: (top: string) => T): T {
  const base = fs.existsSync('/dev/shm') ? '/dev/shm' : '/tmp';
  const top = fs.mkdtempSync(path.join(base, 'udax-proof-'));
  try {
    return use(top);
  } finally {
    fs.rmSync(top, { recursive: true, force: true });
  }
}

export function traceFiles(scope: FileScope): FileTrace {
  return withDirectory((top) => {
    scope.prepare(top);
    return new FileTracer(top).run((mark) => scope.act(top, mark));
  });
}

type Verdict = { state: number } | { isAllowed: true } | { said: string };

/** Results of the right order, for its mutants. */
interface KnownDisks {
  states: readonly string[];
  verdicts: Map<string, Verdict>;
}

/** Decides for each disk whether it is allowed. See Judge, which does the same for memory. */
class FileJudge {
  readonly findings: Finding[] = [];
  readonly states: string[] = [];
  readonly #seen = new Set<string>();
  lost = 0;
  asked = 0;
  readonly #scope: FileScope;
  readonly #options: ExploreOptions;
  readonly #verdicts: Map<string, Verdict>;

  constructor(scope: FileScope, trace: FileTrace, options: ExploreOptions, known?: KnownDisks) {
    this.#scope = scope;
    this.#options = options;
    this.#verdicts = known?.verdicts ?? new Map();
    if (known) this.states.push(...known.states);
    else this.#readStates(trace);
  }

  #readStates(trace: FileTrace): void {
    const disk = new Disk(trace);
    this.states.push(materialized(disk.now, (top) => this.#scope.read(top)));
    for (const event of trace.events) {
      play(disk, event);
      if (event.kind === 'mark') this.states.push(materialized(disk.now, (top) => this.#scope.read(top)));
    }
    if (this.states.length < 2 || new Set(this.states).size !== this.states.length) {
      throw new Error(`${this.#scope.name}: before and after are one state: ${this.states.join(' | ')}`);
    }
  }

  get known(): KnownDisks {
    return { states: this.states, verdicts: this.#verdicts };
  }

  get images(): number {
    return this.#seen.size;
  }

  get isEnough(): boolean {
    return this.#options.enough > 0 && this.lost >= this.#options.enough;
  }

  judge(
    image: DiskImage,
    moment: { model: 'kill' | 'power'; where: string; returned: number; lines: string },
  ): void {
    if (this.isEnough) return;
    this.asked++;
    const state = createHash('sha1').update(keyOfImage(image)).digest('hex').slice(0, 13);
    if (this.#options.state !== undefined && state !== this.#options.state) return;
    this.#seen.add(state);
    let verdict = this.#verdicts.get(state);
    if (verdict === undefined) {
      verdict = this.#replay(image);
      this.#verdicts.set(state, verdict);
    }
    const said = this.#complaint(verdict, moment.returned);
    if (said === null) return;
    this.lost++;
    if (this.findings.length >= 5 || this.findings.some((known) => known.state === state)) return;
    this.findings.push({ where: moment.where, model: moment.model, state, lines: moment.lines, said });
  }

  #complaint(verdict: Verdict, returned: number): string | null {
    if ('said' in verdict) return verdict.said;
    if ('isAllowed' in verdict)
      return returned < this.states.length - 1 ? null : 'half done, and the operation had returned';
    return verdict.state >= returned
      ? null
      : 'lost: the operation had returned, and what is there is what was there before it';
  }

  #replay(image: DiskImage): Verdict {
    return materialized(image, (top) => {
      try {
        const text = this.#scope.read(top);
        const state = this.states.indexOf(text);
        if (state < 0 && !this.#scope.alsoAllowed?.test(text))
          return { said: `neither before nor after: ${text}` };
        this.#scope.goOn(top, text);
        return state < 0 ? { isAllowed: true } : { state };
      } catch (error) {
        if (!isError(error)) throw error;
        const code = 'code' in error ? `${String(error.code)} ` : '';
        return { said: `${code}${error.message.replaceAll(top, 'TOP')}` };
      }
    });
  }
}

function materialized<T>(image: DiskImage, use: (top: string) => T): T {
  return withDirectory((top) => {
    for (const [name, held] of [...image].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const place = path.join(top, name);
      if (held === null) fs.mkdirSync(place, { recursive: true });
      else {
        fs.writeFileSync(place, held.head);
        fs.chmodSync(place, held.mode);
        if (held.size > held.head.length) fs.truncateSync(place, held.size);
      }
    }
    return use(top);
  });
}

function play(disk: Disk, event: FileEvent): void {
  if (event.kind === 'write') disk.write(event);
  else if (event.kind === 'sync' || event.kind === 'sync-directory') disk.sync(event as SyncEvent);
  else if (event.kind !== 'mark') disk.changeName(event as NameEvent);
}

export function exploreFiles(
  scope: FileScope,
  trace: FileTrace,
  options: ExploreOptions,
  known?: KnownDisks,
): Explored & { known: KnownDisks } {
  const judge = new FileJudge(scope, trace, options, known);
  const disk = new Disk(trace);
  const random = randomFrom(options.seed);
  let returned = 0;
  let sampled = 0;
  const crash = (where: string) => {
    judge.judge(disk.now, { model: 'kill', where, returned, lines: 'all that was done is there' });
    const isWhole = disk.afterPowerCut(random, options.samples, (image, lost) =>
      judge.judge(image, { model: 'power', where, returned, lines: `lost: ${lost}` }),
    );
    if (!isWhole) sampled++;
  };
  crash('at the start');
  for (const event of trace.events) {
    if (judge.isEnough) break;
    if (event.kind === 'write') {
      judge.judge(disk.tornNow(event), {
        model: 'kill',
        where: `in ${nameOf(event)}`,
        returned,
        lines: 'half of that write',
      });
    }
    play(disk, event);
    if (event.kind === 'mark') returned++;
    crash(`after ${nameOf(event)}`);
  }
  const count = (kinds: RegExp) => trace.events.filter(({ kind }) => kinds.test(kind)).length;
  const { images, asked, lost, findings } = judge;
  return {
    points: trace.events.length + 1,
    stores: count(/^(write|make|make-directory|rename|remove)$/),
    flushes: count(/^sync$/),
    fences: count(/^sync-directory$/),
    images,
    asked,
    sampled,
    lost,
    findings,
    known: judge.known,
  };
}

function nameOf(event: FileEvent): string {
  if (event.kind === 'mark') return 'the return of the operation';
  const what = 'path' in event ? event.path : `file ${event.file}`;
  return `the ${event.kind} of ${what || 'the directory above'} by ${placeOf(event.caller)}`;
}
