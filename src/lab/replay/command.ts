/** `udax replay [FILE...]` as a function: what to print and what to exit with. */
import { kitTranscripts } from './kit.js';
import { renderReplay } from './render.js';
import { replayFiles } from './replay.js';

export interface ReplayCommandResult {
  /** 0: every answer is the kernel's; 1: some differ. */
  exitCode: 0 | 1;
  /** Text for stdout, without the last newline. */
  output: string;
}

/**
 * @param files transcripts; none: the conformance kit of this repository
 * @param options.json one JSON document (ReplayResult) instead of text
 * @throws ENOENT EACCES EISDIR EINVAL for files that are not transcripts
 */
export function replayCommand(
  files: readonly string[],
  options: { json?: boolean } = {},
): ReplayCommandResult {
  const result = replayFiles(files.length > 0 ? files : kitTranscripts());
  return {
    exitCode: result.failed > 0 ? 1 : 0,
    output: options.json ? JSON.stringify(result, null, 2) : renderReplay(result),
  };
}
