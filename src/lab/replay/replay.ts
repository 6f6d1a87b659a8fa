/** Runs scenarios on fresh machines and reports where the model's answers differ from the kernel's. */
import { agrees } from './compare.js';
import { OPERATIONS } from './operations/index.js';
import { isHazard, type SkipKind, skipKind, taintsWhatFollows } from './skip.js';
import { Arguments, readTranscript, type Scenario, type Step, type StepResult } from './transcript.js';
import { answer, World } from './world.js';

export interface Difference {
  file: string;
  scenario: string;
  /** Index of the step, from 0. */
  step: number;
  /** The operation with its arguments. */
  operation: Record<string, unknown>;
  expected: StepResult;
  got: StepResult;
}

export interface ReplayResult {
  scenarios: number;
  passed: number;
  failed: number;
  skipped: number;
  /** Number of skipped steps for each kind of reason. */
  skippedByReason: Partial<Record<SkipKind, number>>;
  differences: Difference[];
  /** Differences in scenarios that crashed the real kernel. They are expected and not scored. */
  unscored: Difference[];
  /** The signal ended the replay before all scenarios had run. */
  interrupted: boolean;
}

export interface ReplayOptions {
  /** Replays only the scenarios for which this returns true. */
  only?: (scenario: Scenario) => boolean;
  /** Ends a replay by turns after the current scenario. The result is what was found so far. */
  signal?: AbortSignal;
}

/** How long a replay works before it yields, ms. */
const TURN_MS = 50;

/**
 * Replays the transcripts of some files. Differences are results, not errors.
 * @throws DaxError ENOENT, EACCES, EISDIR, EINVAL for a file that is not a transcript
 */
export function replayFiles(paths: readonly string[], options: ReplayOptions = {}): ReplayResult {
  const turns = replayByTurns(paths, options);
  for (;;) {
    const turn = turns.next();
    if (turn.done) return turn.value;
  }
}

/** Like replayFiles(), but yields now and then, so that the caller can handle signals. @throws DaxError as replayFiles() */
export function* replayByTurns(
  paths: readonly string[],
  options: ReplayOptions,
): Generator<void, ReplayResult> {
  const result: ReplayResult = {
    scenarios: 0,
    passed: 0,
    failed: 0,
    skipped: 0,
    skippedByReason: {},
    differences: [],
    unscored: [],
    interrupted: false,
  };
  // All files are read first, so that a bad one is reported before anything runs.
  const transcripts = paths.map((file) => ({ file, scenarios: readTranscript(file) }));
  let turnEnds = performance.now() + TURN_MS;
  for (const { file, scenarios } of transcripts) {
    for (const scenario of scenarios) {
      if (options.only && !options.only(scenario)) continue;
      if (performance.now() > turnEnds) {
        yield;
        if (options.signal?.aborted) return { ...result, interrupted: true };
        turnEnds = performance.now() + TURN_MS;
      }
      result.scenarios += 1;
      new ScenarioRun(file, scenario, result).run();
    }
  }
  return result;
}

class ScenarioRun {
  readonly #file: string;
  readonly #scenario: Scenario;
  readonly #result: ReplayResult;
  readonly #hazard: boolean;

  constructor(file: string, scenario: Scenario, result: ReplayResult) {
    this.#file = file;
    this.#scenario = scenario;
    this.#result = result;
    this.#hazard = isHazard(scenario);
  }

  run(): void {
    const world = new World(this.#scenario);
    try {
      this.#runSteps(world);
    } finally {
      world.close();
    }
  }

  #runSteps(world: World): void {
    let tainted = false;
    this.#scenario.steps.forEach((step, index) => {
      const kind = tainted ? 'depends on' : skipKind(step);
      if (kind !== null) {
        tainted ||= taintsWhatFollows(kind);
        this.#skip(kind);
        return;
      }
      const got = executeStep(world, step);
      if (this.#hazard) this.#skip('hazard');
      this.#judge(step, index, got);
    });
  }

  #skip(kind: SkipKind): void {
    this.#result.skipped += 1;
    this.#result.skippedByReason[kind] = (this.#result.skippedByReason[kind] ?? 0) + 1;
  }

  #judge(step: Step, index: number, got: StepResult): void {
    const same = agrees(step, got);
    if (!this.#hazard) this.#result[same ? 'passed' : 'failed'] += 1;
    if (same) return;
    const { result, ...operation } = step;
    const { differences, unscored } = this.#result;
    (this.#hazard ? unscored : differences).push({
      file: this.#file,
      scenario: this.#scenario.name,
      step: index,
      operation,
      expected: result,
      got,
    });
  }
}

/** The model's answer to a step. Never throws: a defect of the model is EFAULT with its stack in `code`. */
export function executeStep(world: World, step: Step): StepResult {
  const operation = Object.hasOwn(OPERATIONS, step.op) ? OPERATIONS[step.op] : undefined;
  if (operation === undefined) return { ok: false, errno: 'ENOSYS', code: `no operation ${step.op}` };
  try {
    return answer(() => operation(world, new Arguments(step)));
  } catch (error) {
    // A defect of the model is a difference to report. The other scenarios still run.
    return {
      ok: false,
      errno: 'EFAULT',
      code: String(error instanceof Error ? (error.stack ?? error) : error),
    };
  }
}
