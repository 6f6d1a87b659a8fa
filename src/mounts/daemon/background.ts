import type { ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import {
  checkArguments,
  DaxError,
  type ErrnoCode,
  type ErrorHint,
  fail,
  hintOf,
  isError,
  listOf,
  makeOwnFile,
  oneOf,
  shown,
  startProgram,
  text,
} from '../../libc/index.js';

/** The environment variable that names the descriptor through which a daemon reports to its starter. */
const READY_DESCRIPTOR = 'UDAX_READY_FD';

/** What a daemon reports when it serves. */
export interface Readiness {
  readonly pid: number;
  readonly mountpoint: string;
  /** What the user should know of it. */
  readonly note?: string;
  /** Where it serves its metrics. */
  readonly metrics?: string;
}

/** The one message of a daemon to its starter. */
type Word =
  | { readonly ready: Readiness }
  | {
      readonly error: {
        readonly code: string;
        readonly message: string;
        readonly path?: string;
        readonly hint?: ErrorHint;
        readonly hintPath?: string;
      };
    };

/**
 * The parent of a daemon: a shell (under 1 MiB) that outlives it and logs its end, because a process that is killed by SIGBUS or
 * SIGKILL cannot do that itself. Descriptor 3 is for the daemon only: the starter waits until all copies of it are closed.
 */
const WATCH = `say() {
  if [ "$format" = json ]; then
    printf '{"time":"%s","level":"error","pid":%d,"message":"udax: %s"}\\n' "$(date -u +%FT%TZ)" $$ "$1" >&2
  else echo "udax: $1" >&2; fi
}
format=$1; shift
"$@" & pid=$!
exec 3>&-
wait $pid 2>/dev/null; status=$?
[ $status -eq 0 ] && exit 0
at=$(date '+%F %T')
if [ $status -le 128 ]; then say "the daemon (pid $pid) ended with status $status at $at"; exit $status; fi
signal=SIG$(kill -l $((status - 128)))
why=
[ $signal = SIGBUS ] && why=": memory it had mapped is not there any more (was the file behind it cut?)"
say "the daemon (pid $pid) was ended by $signal at $at$why"
exit $status`;
const LOG_MODE = 0o600;

/**
 * Starts a program as a daemon: in a session of its own, in /, with its output in a log. Its end is logged there too. Resolves
 * when the daemon has reported that it is ready.
 * @param argv program arguments for this Node; the program calls sayReady() or sayFailed()
 * @param logFormat of the line about its end; the program's own lines are its own
 * @returns what the daemon reported
 * @throws DaxError EMFILE, EAGAIN it cannot be started; the error that it reported; EIO it ended without a report (the message
 * names the log)
 */
export async function startDaemon(
  argv: readonly string[],
  logPath: string,
  logFormat: 'text' | 'json' = 'text',
): Promise<Readiness> {
  checkArguments('startDaemon', [argv, logPath, logFormat], {
    argv: listOf(text),
    logPath: text,
    logFormat: oneOf('text', 'json'),
  });
  fs.rmSync(logPath, { force: true }); // an earlier daemon that still serves keeps writing to its own, unlinked log
  const log = makeOwnFile(logPath, LOG_MODE);
  const child = await startWatched(argv, log, logFormat).catch((error: unknown) => {
    fs.rmSync(logPath, { force: true });
    throw error;
  });
  const said = await lastWord(child.stdio[3] as NodeJS.ReadableStream);
  if (said === '') {
    await ended(child);
    const tail = fs.readFileSync(logPath, 'utf8').trim().split('\n').slice(-5).join('\n');
    fail('EIO', `the daemon ended before it was ready (${logPath})${tail === '' ? '' : `:\n${tail}`}`, {
      path: logPath,
    });
  }
  const word = JSON.parse(said) as Word;
  if ('error' in word) {
    fs.rmSync(logPath, { force: true }); // the error says all that the log does
    const { code, message, ...details } = word.error;
    throw new DaxError(code as ErrnoCode, message, details);
  }
  child.unref();
  return word.ready;
}

async function startWatched(argv: readonly string[], log: number, logFormat: string): Promise<ChildProcess> {
  try {
    return await startProgram('/bin/sh', ['-c', WATCH, 'udax', logFormat, process.execPath, ...argv], {
      cwd: '/',
      detached: true,
      stdio: ['ignore', log, log, 'pipe'],
      env: { ...process.env, [READY_DESCRIPTOR]: '3' },
    });
  } finally {
    fs.closeSync(log);
  }
}

async function lastWord(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const piece of stream) text += String(piece);
  return text;
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once('exit', () => resolve()));
}

/** Whether this process was started by startDaemon(). */
export function isDaemon(): boolean {
  return process.env[READY_DESCRIPTOR] !== undefined;
}

/** Leaves the report to a child that has inherited descriptor 3. When the child ends without a report, startDaemon() fails. */
export function passOnReadiness(): void {
  const descriptor = process.env[READY_DESCRIPTOR];
  if (descriptor === undefined) return;
  delete process.env[READY_DESCRIPTOR];
  fs.closeSync(Number(descriptor));
}

/** Reports to the starter that the daemon serves. Does nothing when this process was not started by startDaemon(). */
export function sayReady(what: Readiness): void {
  say({ ready: what });
}

/** Reports an error to the starter. Returns false when there is no starter; the caller must report the error itself then. */
export function sayFailed(error: unknown): boolean {
  const code = isError(error) && 'code' in error ? String(error.code) : 'EIO';
  return say({
    error: {
      code,
      message: isError(error) ? error.message : typeof error === 'string' ? error : shown(error),
      ...(isError(error) && 'path' in error && typeof error.path === 'string' && { path: error.path }),
      ...hintOf(error),
    },
  });
}

function say(word: Word): boolean {
  const descriptor = process.env[READY_DESCRIPTOR];
  if (descriptor === undefined) return false;
  delete process.env[READY_DESCRIPTOR];
  fs.writeSync(Number(descriptor), JSON.stringify(word));
  fs.closeSync(Number(descriptor));
  return true;
}
