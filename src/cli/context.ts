import { resolve } from 'node:path';
import type { Role } from '../famfs/index.js';
// Imported from the file, not from the layer's index: what a command does not need is not loaded.
import {
  absoluteRoot,
  defaultRoot,
  isKernelRoot,
  type KernelRoot,
  stateDirectoryOf,
} from '../machine/roots.js';
import { abortOnSignals } from './interrupt.js';
import { jsonLine, type LogFormat, type LogLevel } from './output/log.js';
import { jsonText, terminalSafe } from './output/table.js';

/** What every command gets: the machine's location, the output, and the signal that Ctrl-C aborts. */
export interface Context {
  /** Absolute path of the state directory. With `kernel` it is this host's own, which has its uuid and mounts. */
  readonly root: string;
  /** Set by --kernel, or by a root `kernel:`: the command works on the kernel's bus instead of an emulated machine. */
  readonly kernel: KernelRoot | undefined;
  /** --root and --kernel as given, so that a command shown to the user names the same machine. */
  readonly given: GivenMachine;
  /** Set by --set-mode: real devices are in devdax mode while the command runs. */
  readonly setMode: boolean;
  /** Set by --role; without it the superblock's owner decides. */
  readonly role: Role | undefined;
  /** One JSON document on stdout instead of text for people. */
  readonly json: boolean;
  readonly output: Output;
  /** Prints the result of a command: the document with --json, else the text (nothing when it is empty). */
  show(document: unknown, text: () => string): void;
  /**
   * Returns a signal that SIGINT (Ctrl-C), SIGTERM and SIGHUP abort. A command that never calls this dies of the signal at once.
   * That is right for synchronous work, because the state on disk is crash-safe.
   */
  interruptible(): AbortSignal;
}

export interface Output {
  /** Prints result text on stdout and adds a newline. */
  print(text: string): void;
  /** The one JSON document of this run, on stdout. */
  document(value: unknown): void;
  /** Writes raw bytes on stdout. Resolves when they have been handed over, so that the caller may unmap the view. */
  bytes(view: Uint8Array): Promise<void>;
  /** Everything that is not the result, on stderr. A JSON log has the level, 'info' when none is given. */
  note(text: string, level?: LogLevel): void;
}

/**
 * Chooses the root: `--root`, else `$UDAX_ROOT`, else `${XDG_STATE_HOME:-~/.local/state}/udax`; with --kernel the kernel's bus.
 */
export function chooseRoot({ root, kernel }: GlobalOptions): Pick<Context, 'root' | 'kernel'> {
  const given = root === undefined ? defaultRoot() : absoluteRoot(root);
  if (isKernelRoot(given)) return { root: stateDirectoryOf(given), kernel: given };
  if (!kernel) return { root: given, kernel: undefined };
  // With --kernel, --root is the directory for this host's state.
  return { root: root ? resolve(root) : given, kernel: 'kernel:' };
}

/** The global options that give another process the same context (without --json). */
export function globalWords({ root, kernel, setMode, role }: Context): string[] {
  return [
    // A sysfs tree other than /sys is a root of its own.
    ...(kernel === undefined || kernel === 'kernel:' ? ['--root', root] : ['--root', kernel]),
    ...(kernel === 'kernel:' ? ['--kernel'] : []),
    ...(setMode ? ['--set-mode'] : []),
    ...(role ? ['--role', role] : []),
  ];
}

/** The options that name the machine. */
export type GivenMachine = Pick<GlobalOptions, 'root' | 'kernel'>;

/** Options of every command. */
export interface GlobalOptions {
  root?: string | undefined;
  kernel?: boolean | undefined;
  setMode?: boolean | undefined;
  json?: boolean | undefined;
  role?: Role | undefined;
}

export function createContext(options: GlobalOptions, logFormat: LogFormat = 'text'): Context {
  let interrupt: AbortSignal | undefined;
  return {
    ...chooseRoot(options),
    given: { root: options.root, kernel: options.kernel },
    setMode: options.setMode ?? false,
    json: options.json ?? false,
    role: options.role,
    output: logFormat === 'json' ? { ...standardOutput, note: jsonNote } : standardOutput,
    show(document, text) {
      if (options.json) standardOutput.document(document);
      else {
        const lines = text();
        if (lines !== '') standardOutput.print(lines);
      }
    },
    interruptible() {
      interrupt ??= abortOnSignals();
      return interrupt;
    },
  };
}

const standardOutput: Output = {
  print: (text) => void process.stdout.write(`${terminalSafe(text)}\n`),
  document: (value) => void process.stdout.write(`${jsonText(value, 2)}\n`),
  bytes: (view) =>
    new Promise((resolveWritten, reject) => {
      process.stdout.write(view, (error) => (error ? reject(error) : resolveWritten()));
    }),
  note: (text) => void process.stderr.write(`${terminalSafe(text)}\n`),
};

function jsonNote(text: string, level: LogLevel = 'info'): void {
  process.stderr.write(jsonLine(level, text));
}
