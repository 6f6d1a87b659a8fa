/** A world with its two processes, and the run of a protocol under a schedule. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type FsckReport,
  fsck,
  type Machine,
  mountFamfs,
  openMachine,
  type Volume,
} from '../../src/index.js';
import { isError } from '../../src/libc/index.js';
import type { CacheFiles } from '../steps/cache-lines.js';
import { Child, ChildDied, ChildHangs } from '../steps/pipes.js';
import { makeMachine, memoryDirectory } from '../steps/world.js';
import type { ChildConfig, Go, Stopped, Word } from './child.js';
import type { Chooser, Decision, Letter } from './schedules.js';
import type { Protocol, Told, World } from './types.js';

const MIB = 2 ** 20;
const UUIDS: [string, string] = [
  '11111111-1111-4111-8111-111111111111',
  '22222222-2222-4222-8222-222222222222',
];
/** How long a blocked call may wait for other processes in total, ms. */
const BOUND_MS = 100;
/** No schedule is longer than this: a longer one loops for ever. */
const MOST_STEPS = 5000;

process.env.UDAX_SYSTEM_UUID = UUIDS[0];

export interface RunResult {
  decisions: Decision[];
  /** Steps of A and of B. */
  steps: [number, number];
  problems: string[];
  /** B was refused something that A has. */
  isRefused?: true;
  /** Every step, like `A lock log`. */
  trace: string[];
}

type Answer = Stopped | { told: Told };

const isStopped = (answer: Answer): answer is Stopped => 'step' in answer;
const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** The two processes. They run one protocol after another. */
export class Players {
  readonly #directory = memoryDirectory('players');
  readonly children: [Child, Child];

  constructor(mutant?: string) {
    const start = (me: 0 | 1): Child =>
      new Child({
        directory: this.#directory,
        name: me === 0 ? 'A' : 'B',
        script: file('./child.js'),
        config: { me, ...(mutant !== undefined && { mutant }) } satisfies ChildConfig,
        preload: [file('../steps/seams.js')],
      });
    this.children = [start(0), start(1)];
  }

  async end(): Promise<void> {
    await Promise.all(this.children.map((child) => child.end()));
    fs.rmSync(this.#directory, { recursive: true, force: true });
  }
}

export class Stage {
  readonly #protocol: Protocol;
  readonly #world: World;
  readonly #children: [Child, Child];
  #runs = 0;

  constructor(protocol: Protocol, { children }: Players) {
    this.#protocol = protocol;
    this.#world = makeWorld(protocol);
    this.#children = children;
    for (const child of children)
      this.#ask(child, { do: 'open', protocol: protocol.name, world: this.#world });
  }

  /** Whether the world has names and space for more runs. */
  get isFresh(): boolean {
    return this.#runs < (this.#protocol.runsInWorld ?? 150);
  }

  #ask(child: Child, word: Word): { after?: unknown } {
    child.say(word);
    const answer = child.hear() as { failed?: string; after?: unknown };
    if (answer.failed !== undefined) throw new Error(`${child.name} cannot ${word.do}: ${answer.failed}`);
    return answer;
  }

  /** @param isStarved B may be refused something that A has, within the bound and with A named */
  run(choose: Chooser, isStarved = false): RunResult {
    const run = ++this.#runs;
    this.#protocol.prepare?.(this.#world, run);
    const result: RunResult = { decisions: [], steps: [0, 0], problems: [], trace: [] };
    try {
      const told = this.#schedule(run, choose, result);
      for (const me of [0, 1] as const) {
        told[me].after = this.#ask(this.#children[me], { do: 'after', run }).after;
      }
      if (isStarved && told[1].error?.code === 'EBUSY') {
        result.isRefused = true;
        result.problems.push(...this.#judgeRefusal(told[1]), ...this.#judgeMedia(() => []));
      } else result.problems.push(...this.#judge(run, told));
    } catch (error) {
      if (!isError(error)) throw error;
      const isEnd = error instanceof ChildDied || error instanceof ChildHangs;
      result.problems.push(isEnd ? error.message : `${error.message} ${error.stack?.split('\n')[1] ?? ''}`);
    }
    return result;
  }

  /** Lets one process at a time continue, until both are done. */
  #schedule(run: number, choose: Chooser, result: RunResult): [Told, Told] {
    const answers = this.#children.map((child) => {
      child.say({ do: 'run', run } satisfies Word);
      return child.hear() as Answer;
    });
    const isWoken = [true, true];
    let last = 0;
    while (answers.some(isStopped)) {
      if (result.decisions.length > MOST_STEPS) throw new Error(`no end after ${MOST_STEPS} steps`);
      const stopped = [0, 1].filter((me) => isStopped(answers[me]!));
      const awake = stopped.filter((me) => isWoken[me] || !(answers[me] as Stopped).isRetry);
      // When all wait for each other, they check again until they give up.
      const able = awake.length > 0 ? awake : stopped;
      const choices = [last, 1 - last].filter((me) => able.includes(me)).map((me) => (me === 0 ? 'A' : 'B'));
      const chosen = choose(choices as ('A' | 'B')[], result.decisions.length);
      result.decisions.push({
        choices: choices as ('A' | 'B')[],
        chosen,
        isPreemption: result.trace.length > 0 && choices.length > 1 && able.includes(last),
      });
      let [me, go] = meaningOf(chosen);
      if (!isStopped(answers[me]!)) {
        // The process is done, so the schedule means the other one.
        if (chosen !== 'S') continue;
        me = 0;
      }
      const { step, kind } = answers[me] as Stopped;
      result.trace.push(`${chosen} ${step}`);
      this.#children[me]!.say({ go } satisfies Go);
      answers[me] = this.#children[me]!.hear() as Answer;
      if (go !== 'on') continue;
      result.steps[me]!++;
      last = me;
      isWoken[me] = false;
      // A process that waits for a lock checks again once another process may have released it.
      if (kind === 'release' || !isStopped(answers[me]!)) isWoken[1 - me] = true;
    }
    return answers.map((answer) => (answer as { told: Told }).told) as [Told, Told];
  }

  #judgeRefusal({ error, waited }: Told): string[] {
    const { message } = error!;
    const late = waited > BOUND_MS ? [`B was refused after ${waited} ms: ${message}`] : [];
    const isNamed = message.includes(`pid ${this.#children[0].pid} (`);
    return isNamed
      ? late
      : [...late, `B was refused, and not told by whom (pid ${this.#children[0].pid}): ${message}`];
  }

  #judge(run: number, told: [Told, Told]): string[] {
    const problems: string[] = [];
    for (const [me, { error, waited }] of told.entries()) {
      const name = me === 0 ? 'A' : 'B';
      if (error && !this.#protocol.allowed?.includes(error.code as never)) {
        problems.push(`${name} was told ${error.code} after ${Math.round(waited)} ms: ${error.message}`);
      }
    }
    const about = { world: this.#world, run, told };
    problems.push(
      ...this.#judgeMedia((volume, report) => this.#protocol.judge({ ...about, volume, fsck: report })),
    );
    return problems;
  }

  /** What a third process finds on the file system. */
  #judgeMedia(more: (volume: Volume, report: FsckReport) => string[]): string[] {
    const machine: Machine = openMachine(this.#world.judgeRoot);
    try {
      const volume = mountFamfs(machine.device('dax0.0'), { readOnly: true });
      try {
        const report = fsck(machine.device('dax0.0'));
        const found = [...volume.problems, ...report.errors, ...report.notes];
        return [...found.map(({ message }) => `after it: ${message}`), ...more(volume, report)];
      } finally {
        volume.close();
      }
    } finally {
      machine.close();
    }
  }

  /** @param isBroken something went wrong, so the processes are not asked any more */
  end(isBroken: boolean): void {
    if (!isBroken) for (const child of this.#children) this.#ask(child, { do: 'close' });
    fs.rmSync(this.#world.directory, { recursive: true, force: true });
  }
}

function meaningOf(letter: Letter): [0 | 1, Go['go']] {
  const me = 'Aac'.includes(letter) ? 0 : 1;
  if (letter === 'A' || letter === 'B' || letter === 'S') return [me, 'on'];
  return [me, letter === 'a' || letter === 'b' ? 'write-back' : 'fetch'];
}

function makeWorld(protocol: Protocol): World {
  const directory = memoryDirectory('interleave');
  const judgeRoot = path.join(directory, 'machine');
  const sizes = [(protocol.hosts === 2 ? 128 : 512) * MIB, 2 * MIB, 2 * MIB];
  makeMachine({ root: judgeRoot, sizes });
  if (protocol.setUp) {
    const machine = openMachine(judgeRoot);
    const volume = mountFamfs(machine.device('dax0.0'));
    protocol.setUp(volume);
    volume.close();
    machine.close();
  }
  const world: World = { directory, roots: [judgeRoot, judgeRoot], uuids: UUIDS, judgeRoot };
  if (protocol.hosts === 1) return world;
  const [memory] = fs
    .readdirSync(path.join(judgeRoot, 'regions'))
    .map((name) => path.join(judgeRoot, 'regions', name));
  world.caches = [cachesOf(directory, memory!, 0), cachesOf(directory, memory!, 1)];
  world.roots = [path.join(directory, 'host0'), path.join(directory, 'host1')];
  return world;
}

function cachesOf(directory: string, memory: string, me: number): CacheFiles {
  const files = { cache: `${directory}/cache${me}`, base: `${directory}/base${me}`, memory };
  for (const to of [files.cache, files.base]) execFileSync('cp', ['--sparse=always', memory, to]);
  return files;
}
