/** `udax replay [FILE...]` as a function: it returns the output and the exit status. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { kitTranscripts } from './kit.js';
import { renderReplay } from './render.js';
import { type ReplayResult, replayByTurns, replayFiles } from './replay.js';

export interface ReplayCommandResult {
  /** 0: every answer is the kernel's; 1: some differ; 130: interrupted. */
  exitCode: 0 | 1 | 130;
  /** Text for stdout, without the last newline. */
  output: string;
}

export interface ReplayCommandOptions {
  /** One JSON document (ReplayResult) instead of text. */
  json?: boolean;
  /** Ends a replayLater() early. The result is what was found so far. */
  signal?: AbortSignal;
}

/**
 * Replays transcripts.
 * @param files transcripts; when empty, the conformance kit of this repository
 * @throws DaxError ENOENT, EACCES, EISDIR, EINVAL for files that are not transcripts
 */
export function replayCommand(
  files: readonly string[],
  options: ReplayCommandOptions = {},
): ReplayCommandResult {
  return told(replayFiles(transcripts(files)), options);
}

/** Like replayCommand(), but lets the event loop run in between, so that a signal is noticed. */
export async function replayLater(
  files: readonly string[],
  options: ReplayCommandOptions,
): Promise<ReplayCommandResult> {
  const { signal } = options;
  const turns = replayByTurns(transcripts(files), signal === undefined ? {} : { signal });
  for (;;) {
    const turn = turns.next();
    if (turn.done) return told(turn.value, options);
    await nextTurn();
  }
}

function transcripts(files: readonly string[]): readonly string[] {
  return files.length > 0 ? files : kitTranscripts();
}

function told(result: ReplayResult, { json }: ReplayCommandOptions): ReplayCommandResult {
  return {
    exitCode: result.interrupted ? 130 : result.failed > 0 ? 1 : 0,
    output: json ? JSON.stringify(result, null, 2) : renderReplay(result),
  };
}
