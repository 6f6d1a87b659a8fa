import { asDaxError } from '../libc/index.js';
import type { GivenMachine } from './context.js';
import { commandFor } from './hints.js';
import { jsonLine } from './output/log.js';
import { jsonText, terminalSafe } from './output/table.js';

/** Exit statuses, the same for every command. */
export const exitStatus = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** The command line itself is wrong: exit status 2, nothing was changed. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly code = 'EINVAL';
}

/**
 * The command has already printed what went wrong (a copy where some files failed, an fsck that found errors). Only the exit
 * status remains to be set.
 */
export class AlreadyReported extends Error {
  override readonly name = 'AlreadyReported';
  readonly status: number;

  constructor(status: number = exitStatus.failed) {
    super(`exit ${status}`);
    this.status = status;
  }
}

/** Returns the exit status for an error. */
export function statusOf(error: unknown): number {
  if (error instanceof AlreadyReported) return error.status;
  if (error instanceof UsageError) return exitStatus.usage;
  if (error instanceof Error && error.name === 'AbortError') return exitStatus.interrupted;
  return exitStatus.failed;
}

/** How an error is told: to people, as one document (--json), or as a line of a JSON log. */
export type ErrorFormat = 'text' | 'document' | 'log line';

/**
 * Returns what stderr shows of an error: `udax: what failed: why (ECODE)`, then the further lines of the message (the next step),
 * then `Try: ` and a command if the error has a hint. With UDAX_DEBUG set, the stack follows. As a document and as a log line it
 * has the same parts.
 * @param given the machine that the command after `Try: ` names
 */
export function describeError(
  error: unknown,
  command: string,
  format: ErrorFormat = 'text',
  given: GivenMachine = {},
): string {
  if (error instanceof AlreadyReported) return '';
  if (format === 'document') return `${jsonText({ error: errorParts(error, command, given) })}\n`;
  if (format === 'log line') {
    const { message, ...details } = errorParts(error, command, given);
    return jsonLine('error', message, details);
  }
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

interface ErrorParts {
  code: string;
  message: string;
  path?: string;
  hint?: string;
}

/**
 * The parts of an error. hint is the next step: a command if the error has a hint, else the message's
 * further lines.
 */
function errorParts(error: unknown, command: string, given: GivenMachine): ErrorParts {
  if (error instanceof Error && error.name === 'AbortError') return { code: 'EINTR', message: 'interrupted' };
  const known = error instanceof UsageError ? error : asDaxError(error, command);
  const [message = '', ...nextSteps] = (known instanceof Error ? known.message : String(known)).split('\n');
  const path =
    known instanceof Error && 'path' in known && known.path !== undefined ? { path: String(known.path) } : {};
  const step = commandFor(known, command, given) ?? nextSteps.join('\n');
  return {
    code: codeOfError(known) || 'EIO',
    message,
    ...path,
    ...(step !== '' && { hint: step }),
  };
}

function codeOfError(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
