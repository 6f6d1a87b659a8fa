import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import { resolve } from 'node:path';
import { isatty } from 'node:tty';
import { asDaxError, fail, startProgram } from '../../libc/index.js';
import type { Context } from '../context.js';
import { AlreadyReported, UsageError } from '../errors.js';
import { preloadLibrary } from '../preload.js';
import { programFile, whyNotPreloaded } from '../program-file.js';

interface RunFlags {
  /** True: to standard error. */
  explain?: string | true;
}

/** Signals that are sent to one process and meant for the command. */
const FORWARDED = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGCONT', 'SIGWINCH'] as const;
/** Signals of the keyboard: the terminal sends them to the command, too. */
const KEYBOARD = ['SIGINT', 'SIGQUIT'] as const;
/** Signals by which this process ends as its command did. Others would leave a second core file. */
const REPEATED: readonly string[] = [
  'SIGINT',
  'SIGTERM',
  'SIGHUP',
  'SIGPIPE',
  'SIGKILL',
  'SIGUSR1',
  'SIGUSR2',
];

/** `udax run` */
export async function run(context: Context, command: string[], { explain }: RunFlags): Promise<void> {
  const [word, ...args] = command;
  if (word === undefined) {
    const taken = typeof explain === 'string' ? ` (--explain took ${explain} for its file)` : '';
    throw new UsageError(`nothing to run${taken}: give the command behind --`);
  }
  const { path } = preloadLibrary();
  const file = programFile(word);
  if (file === null)
    fail('ENOENT', `${word} is no program that can be run here: look at its name and at PATH`);
  const why = whyNotPreloaded(file);
  if (why !== null) context.output.note(`udax: ${why}: it maps files of a mount the old way`);
  const others = process.env.LD_PRELOAD ?? '';
  const env = {
    ...process.env,
    LD_PRELOAD: others === '' ? path : `${path}:${others}`,
    ...(explain !== undefined && { UDAX_RUN_EXPLAIN: explain === true ? '-' : explainFile(explain) }),
  };
  // Before the command is there: a signal that came in between would end this process and leave the command behind.
  const signals = passSignals();
  try {
    const child = await startProgram(word, args, { stdio: 'inherit', env });
    const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
    signals.goTo(child);
    const [status, signal] = await ended;
    signals.end();
    if (signal !== null && REPEATED.includes(signal)) process.kill(process.pid, signal);
    if (status !== 0) throw new AlreadyReported(status ?? 128 + constants.signals[signal!]);
  } finally {
    signals.end();
  }
}

/** The file for explanations, made now, so that a path that cannot be written is told. */
function explainFile(given: string): string {
  const path = resolve(given);
  try {
    closeSync(openSync(path, 'a', 0o600));
  } catch (error) {
    throw asDaxError(error, `${path} cannot be written to explain`, path);
  }
  return path;
}

/** Passes signals to the command: those that come before it is there, as soon as it is. */
function passSignals(): { goTo(child: ChildProcess): void; end(): void } {
  const early: NodeJS.Signals[] = [];
  let command: ChildProcess | undefined;
  const forward = (signal: NodeJS.Signals): void => {
    if (command) command.kill(signal);
    else early.push(signal);
  };
  // process.stdin is not touched: Node would set the pipe of the command to non-blocking.
  const keep = [0, 1, 2].some((fd) => isatty(fd)) ? () => {} : forward;
  for (const signal of FORWARDED) process.on(signal, forward);
  for (const signal of KEYBOARD) process.on(signal, keep);
  return {
    goTo(child) {
      command = child;
      for (const signal of early.splice(0)) child.kill(signal);
    },
    end() {
      for (const signal of FORWARDED) process.off(signal, forward);
      for (const signal of KEYBOARD) process.off(signal, keep);
    },
  };
}
