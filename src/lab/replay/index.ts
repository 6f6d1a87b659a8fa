/**
 * lab/replay: runs kernel transcripts against the model and compares the answers.
 *
 * Each scenario gets its own machine (machines.ts: exactly the tables of SCHEMA.md) with the quirks of the recorded kernel,
 * except its crashes. Each step is one row of the operation tables (operations/) and is compared by the rules of the schema
 * (compare.ts). Attributes are read through tree/, daxctl runs on udax's verbs, and signals are answers of the model.
 *
 * Invariants: nothing outlives its scenario; no file is written; a step is passed, failed, or skipped for a listed reason
 * (skip.ts), never dropped. A defect of the model (any error that is not a DaxError) counts as a difference.
 *
 * Failure: a file that is not a transcript gives EINVAL or the errno of reading it, before anything runs.
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
