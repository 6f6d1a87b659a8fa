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
  shown,
  startProgram,
  text,
} from '../../libc/index.js';

/** Names the descriptor through which a daemon tells its starter how it went. */
const READY_DESCRIPTOR = 'UDAX_READY_FD';

/** What a daemon says of itself when it serves. */
export interface Readiness {
  readonly pid: number;
  readonly mountpoint: string;
}

/** What a daemon says, once. */
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
 * The parent of a daemon: a shell (under 1 MiB) that outlives it, because who is ended by SIGBUS or SIGKILL cannot say so himself.
 * Descriptor 3 is the daemon's: the starter waits until everybody has closed it.
 */
const WATCH = `"$@" & pid=$!
exec 3>&-
wait $pid; status=$?
[ $status -eq 0 ] && exit 0
at=$(date '+%F %T')
if [ $status -le 128 ]; then echo "udax: the daemon (pid $pid) ended with status $status at $at" >&2; exit $status; fi
signal=SIG$(kill -l $((status - 128)))
why=
[ $signal = SIGBUS ] && why=": memory it had mapped is not there any more (was the file behind it cut?)"
echo "udax: the daemon (pid $pid) was ended by $signal at $at$why" >&2
exit $status`;
const LOG_MODE = 0o600;

/**
 * Starts a program as a daemon: its own session, in /, output into a log, where its end is told too. Resolves when it has said that it is ready.
 * @param argv program arguments for this Node; the program calls sayReady() or sayFailed()
 * @returns what it said
 * @throws DaxError EMFILE, EAGAIN it cannot be started; what it said it failed with; EIO when it ended without a word (the log is named)
 */
export async function startDaemon(argv: readonly string[], logPath: string): Promise<Readiness> {
  checkArguments('startDaemon', [argv, logPath], { argv: listOf(text), logPath: text });
  fs.rmSync(logPath, { force: true }); // an earlier daemon that still serves goes on with its own
  const log = makeOwnFile(logPath, LOG_MODE);
  const child = await startWatched(argv, log).catch((error: unknown) => {
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
    fs.rmSync(logPath, { force: true }); // what there was to say is in the error
    const { code, message, ...details } = word.error;
    throw new DaxError(code as ErrnoCode, message, details);
  }
  child.unref();
  return word.ready;
}

async function startWatched(argv: readonly string[], log: number): Promise<ChildProcess> {
  try {
    return await startProgram('/bin/sh', ['-c', WATCH, 'udax', process.execPath, ...argv], {
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

/** Leaves the word to a child that was given descriptor 3: when it ends without one, the starter is told so. */
export function passOnReadiness(): void {
  const descriptor = process.env[READY_DESCRIPTOR];
  if (descriptor === undefined) return;
  delete process.env[READY_DESCRIPTOR];
  fs.closeSync(Number(descriptor));
}

/** Lets the starter go on. Does nothing when nobody waits. */
export function sayReady(what: Readiness): void {
  say({ ready: what });
}

/** Tells the starter why not. Returns false when nobody waits: then the caller reports it itself. */
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
