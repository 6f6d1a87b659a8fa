import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import { codeOf, DaxError, type ErrnoCode, errnoOf, hasCode, isError } from './errors.js';

/**
 * Starts a program and waits until it runs. (spawn() alone reports a failure by an event, which the caller may miss. When
 * descriptors have run out, it returns a child without streams.)
 * @throws DaxError EMFILE, EAGAIN, ENOMEM, ENOENT, EACCES: the message names the program
 */
export async function startProgram(
  program: string,
  args: readonly string[],
  options: SpawnOptions,
): Promise<ChildProcess> {
  try {
    const child = spawn(program, args, options);
    await once(child, 'spawn');
    return child;
  } catch (error) {
    throw startFailure(program, error);
  }
}

/**
 * The error of a program or thread that could not be started. It names the program and the reason, which Node's own
 * error does not. An error without an errno passes through unchanged.
 */
export function startFailure(what: string, error: unknown): unknown {
  const code = codeIn(error);
  if (code === undefined) return error;
  const reason = getSystemErrorMap().get(-errnoOf(code))?.[1] ?? code;
  const next = code === 'EMFILE' ? ' (raise the limit: ulimit -n)' : '';
  return new DaxError(code, `${what} cannot be started: ${reason}${next}`, { cause: error });
}

function codeIn(error: unknown): ErrnoCode | undefined {
  if (!isError(error)) return undefined;
  if ('errno' in error && typeof error.errno === 'number') return codeOf(-error.errno);
  // The error of a worker has the errno name in its message only: "Worker initialization failure: EMFILE".
  if (!hasCode(error, 'ERR_WORKER_INIT_FAILED')) return undefined;
  const name = /[A-Z]+$/.exec(error.message)?.[0] ?? '';
  return name in constants.errno ? (name as ErrnoCode) : 'EAGAIN';
}
