import { isError } from '../../src/libc/index.js';
import type { MemoryKind } from '../media/traced-backing.js';
import type { Trace } from '../media/tracer.js';
import { Cache } from './cache.js';
import type { ExploreOptions } from './explore.js';
import { ImageBuilder, nameOfKey } from './image.js';
import { Replayer } from './replayer.js';
import type { FailureModel, Finding, Scope } from './scope.js';

/** What an image turned out to be: the state of that number, a state that is documented, or wrong. */
type Verdict = { state: number } | { isAllowed: true } | { said: string };

/** Results of the right order, for its mutants. They begin with the same memory, so equal images have equal verdicts. */
export interface Known {
  /** The state before, and the state after each operation. */
  states: readonly string[];
  verdicts: Map<number, Verdict>;
}

/** The moment at which an image can arise, for findings. */
export interface Moment {
  model: FailureModel;
  where: string;
  /** Operations that had returned. */
  returned: number;
  /** Describes what had reached memory. */
  lines: () => string;
}

/**
 * Decides for each memory whether it is allowed. An image is loaded and replayed once, however many crashes lead to it. What it
 * must not have lost depends on the moment of the crash.
 */
export class Judge {
  readonly findings: Finding[] = [];
  lost = 0;
  asked = 0;
  readonly #scope: Scope;
  readonly #replayer: Replayer;
  readonly #options: ExploreOptions;
  readonly #verdicts: Map<number, Verdict>;
  readonly #seen = new Set<number>();
  /** Texts of read(): before, and after each operation that returned. */
  readonly #states: string[] = [];

  constructor(scope: Scope, memory: MemoryKind, trace: Trace, options: ExploreOptions, known?: Known) {
    this.#scope = scope;
    this.#options = options;
    this.#replayer = new Replayer(trace.base, memory);
    this.#verdicts = known?.verdicts ?? new Map();
    if (known) this.#states.push(...known.states);
    else this.#readStates(trace);
  }

  /** Reads the states without any crash. */
  #readStates({ base, events }: Trace): void {
    const cache = new Cache(base);
    const read = () => {
      const image = new ImageBuilder();
      for (const [line, { whole }] of cache.pending) image.put(line, whole.at(-1)!);
      this.#replayer.load(image.lines);
      this.#states.push(this.#scope.read(this.#replayer.bench));
    };
    read();
    for (const event of events) {
      if (event.kind === 'store') cache.store(event);
      else if (event.kind === 'mark') read();
    }
    if (this.#states.length < 2 || new Set(this.#states).size !== this.#states.length) {
      throw new Error(
        `${this.#scope.name}: before and after are one state, nothing can be told apart: ${this.#states[0]}`,
      );
    }
  }

  get known(): Known {
    return { states: this.#states, verdicts: this.#verdicts };
  }

  get images(): number {
    return this.#seen.size;
  }

  get isEnough(): boolean {
    return this.#options.enough > 0 && this.lost >= this.#options.enough;
  }

  judge(image: ImageBuilder, moment: Moment): void {
    if (this.isEnough) return;
    this.asked++;
    const { key } = image;
    if (this.#options.state !== undefined && nameOfKey(key) !== this.#options.state) return;
    this.#seen.add(key);
    let verdict = this.#verdicts.get(key);
    if (verdict === undefined) {
      verdict = this.#replay(image);
      this.#verdicts.set(key, verdict);
    }
    const said = this.#complaint(verdict, moment.returned);
    if (said === null) return;
    this.lost++;
    const known = this.findings.some(({ state }) => state === nameOfKey(key));
    if (known || this.findings.length >= 5) return;
    this.findings.push({
      where: moment.where,
      model: moment.model,
      state: nameOfKey(key),
      lines: moment.lines(),
      said,
    });
  }

  #complaint(verdict: Verdict, returned: number): string | null {
    if ('said' in verdict) return verdict.said;
    if ('isAllowed' in verdict) {
      return returned < this.#states.length - 1 ? null : 'half done, and the operation had returned';
    }
    if (verdict.state >= returned) return null;
    return `lost: the operation had returned, and what is there is what was there ${verdict.state === 0 ? 'before it' : `after ${verdict.state} of ${returned}`}`;
  }

  #replay(image: ImageBuilder): Verdict {
    const { bench } = this.#replayer;
    this.#replayer.load(image.lines);
    try {
      const text = this.#scope.read(bench);
      const state = this.#states.indexOf(text);
      if (state < 0 && !this.#scope.alsoAllowed?.test(text))
        return { said: `neither before nor after: ${text}` };
      this.#scope.goOn(bench, text);
      return state < 0 ? { isAllowed: true } : { state };
    } catch (error) {
      if (!isError(error)) throw error;
      const code = 'code' in error ? `${String(error.code)} ` : '';
      return { said: `${code}${error.message}` };
    }
  }

  close(): void {
    this.#replayer.close();
  }
}
