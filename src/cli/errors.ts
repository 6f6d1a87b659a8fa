import { asDaxError } from '../libc/index.js';
import type { GivenMachine } from './context.js';
import { commandFor } from './hints.js';
import { terminalSafe } from './output/table.js';

/** Exit statuses, the same for every command. */
export const exitStatus = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** The command line itself is wrong: exit 2, nothing was touched. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly code = 'EINVAL';
}

/**
 * The command already told the user what went wrong (a copy where some files failed, an fsck that is
 * not clean): only the exit status is left to set.
 */
export class AlreadyReported extends Error {
  override readonly name = 'AlreadyReported';
  readonly status: number;

  constructor(status: number = exitStatus.failed) {
    super(`exit ${status}`);
    this.status = status;
  }
}

/** The exit status an error stands for. */
export function statusOf(error: unknown): number {
  if (error instanceof AlreadyReported) return error.status;
  if (error instanceof UsageError) return exitStatus.usage;
  if (error instanceof Error && error.name === 'AbortError') return exitStatus.interrupted;
  return exitStatus.failed;
}

/**
 * What stderr shows of an error: `udax: what failed: why (ECODE)`, then the next step where the message
 * has one on lines of its own, then `Try: ` and the command to type where the error has a hint. With UDAX_DEBUG set, the
 * stack follows. With --json it is one document instead.
 * @param given for that command
 */
export function describeError(
  error: unknown,
  command: string,
  json = false,
  given: GivenMachine = {},
): string {
  if (error instanceof AlreadyReported) return '';
  if (json) return `${terminalSafe(JSON.stringify(errorDocument(error, command, given)))}\n`;
  if (error instanceof Error && error.name === 'AbortError') return 'udax: interrupted (EINTR)\n';
  const known = error instanceof UsageError ? error : asDaxError(error, command);
  const message = known instanceof Error ? known.message : String(known);
  const [headline = '', ...nextSteps] = message.split('\n');
  const code = codeOfError(known);
  const about = error instanceof UsageError && command !== '' ? `${command}: ` : '';
  const lines = [`udax: ${about}${headline}${code === '' ? '' : ` (${code})`}`, ...nextSteps];
  const step = commandFor(known, command, given);
  if (step !== undefined) lines.push(`Try: ${step}`);
  if (process.env.UDAX_DEBUG && error instanceof Error && error.stack) lines.push(error.stack);
  return `${terminalSafe(lines.join('\n'))}\n`;
}

/** `{ "error": { code, message, path?, hint? } }`: the hint is the next step, the command to type where there is one. */
function errorDocument(error: unknown, command: string, given: GivenMachine) {
  if (error instanceof Error && error.name === 'AbortError') {
    return { error: { code: 'EINTR', message: 'interrupted' } };
  }
  const known = error instanceof UsageError ? error : asDaxError(error, command);
  const [message = '', ...nextSteps] = (known instanceof Error ? known.message : String(known)).split('\n');
  const path =
    known instanceof Error && 'path' in known && known.path !== undefined ? { path: String(known.path) } : {};
  const step = commandFor(known, command, given) ?? nextSteps.join('\n');
  return {
    error: { code: codeOfError(known) || 'EIO', message, ...path, ...(step !== '' && { hint: step }) },
  };
}

function codeOfError(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
