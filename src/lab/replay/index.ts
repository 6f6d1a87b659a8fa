/**
 * lab/replay: kernel transcripts against our model.
 *
 * Each scenario gets a machine of its own (machines.ts: exactly the tables of SCHEMA.md) with the
 * quirks of the recorded kernel, minus its crashes; each step is one row of the operation tables
 * (operations/) and is compared by the rules of the schema (compare.ts). Attributes are read through
 * tree/, daxctl runs on our own verbs, signals are answers of the model.
 *
 * Invariants: nothing outlives its scenario; no file is written; a step is passed, failed or skipped
 * for a listed reason (skip.ts), never dropped. A defect of the model (any error that is not a
 * DaxError) is a difference like others.
 *
 * Failure: a file that is not a transcript is EINVAL or the errno of reading it, before anything runs.
 */
export {
  type ReplayCommandOptions,
  type ReplayCommandResult,
  replayCommand,
  replayLater,
} from './command.js';
export { renderReplay } from './render.js';
export { type Difference, type ReplayOptions, type ReplayResult, replayFiles } from './replay.js';
export { SKIP_REASONS, type SkipKind } from './skip.js';
export type { Scenario, Step, StepResult } from './transcript.js';
