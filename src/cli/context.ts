import { resolve } from 'node:path';
import type { Role } from '../famfs/index.js';
// Not by the layer's face: what a command does not need is not loaded.
import {
  absoluteRoot,
  defaultRoot,
  isKernelRoot,
  type KernelRoot,
  stateDirectoryOf,
} from '../machine/roots.js';
import { abortOnSignals } from './interrupt.js';
import { terminalSafe, visible } from './output/table.js';

/** What every command gets: where the machine is, how to print, how Ctrl-C reaches it. */
export interface Context {
  /** Absolute path of the state directory; with `kernel` of this host's own, where its uuid and mounts are. */
  readonly root: string;
  /** The kernel's bus instead of an emulated machine: what --kernel, or a root `kernel:`, asks for. */
  readonly kernel: KernelRoot | undefined;
  /** --root and --kernel as they were given: what we tell people to type names the same machine. */
  readonly given: GivenMachine;
  /** --set-mode: real devices are in devdax mode for the time of the command. */
  readonly setMode: boolean;
  /** Asked for with --role; else the superblock's owner decides. */
  readonly role: Role | undefined;
  /** One JSON document on stdout instead of text for people. */
  readonly json: boolean;
  readonly output: Output;
  /** The result of a command: the document with --json, else the text for people (nothing when it is empty). */
  show(document: unknown, text: () => string): void;
  /**
   * A signal that Ctrl-C (SIGINT), SIGTERM and SIGHUP abort. Commands that never ask for it die of the signal
   * at once, which is right for all that is synchronous: the state on disk is crash-safe.
   */
  interruptible(): AbortSignal;
}

export interface Output {
  /** Result text for people, on stdout; a newline is added. */
  print(text: string): void;
  /** The one JSON document of this run, on stdout. */
  document(value: unknown): void;
  /** Bytes as they are, on stdout; resolves when they have been handed over, so the view may be unmapped. */
  bytes(view: Uint8Array): Promise<void>;
  /** Everything that is not the result, on stderr. */
  note(text: string): void;
}

/** Root: `--root`, else `$UDAX_ROOT`, else `${XDG_STATE_HOME:-~/.local/state}/udax`; with --kernel the kernel's bus. */
export function chooseRoot({ root, kernel }: GlobalOptions): Pick<Context, 'root' | 'kernel'> {
  const given = root === undefined ? defaultRoot() : absoluteRoot(root);
  if (isKernelRoot(given)) return { root: stateDirectoryOf(given), kernel: given };
  if (!kernel) return { root: given, kernel: undefined };
  // --root then says where this host keeps its state.
  return { root: root ? resolve(root) : given, kernel: 'kernel:' };
}

/** The options that give another process the same context (but for --json). */
export function globalWords({ root, kernel, setMode, role }: Context): string[] {
  return [
    // Another tree than /sys is a root itself.
    ...(kernel === undefined || kernel === 'kernel:' ? ['--root', root] : ['--root', kernel]),
    ...(kernel === 'kernel:' ? ['--kernel'] : []),
    ...(setMode ? ['--set-mode'] : []),
    ...(role ? ['--role', role] : []),
  ];
}

/** How the command line said which machine it is about. */
export type GivenMachine = Pick<GlobalOptions, 'root' | 'kernel'>;

/** Options of every command. */
export interface GlobalOptions {
  root?: string | undefined;
  kernel?: boolean | undefined;
  setMode?: boolean | undefined;
  json?: boolean | undefined;
  role?: Role | undefined;
}

export function createContext(options: GlobalOptions): Context {
  let interrupt: AbortSignal | undefined;
  return {
    ...chooseRoot(options),
    given: { root: options.root, kernel: options.kernel },
    setMode: options.setMode ?? false,
    json: options.json ?? false,
    role: options.role,
    output: standardOutput,
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
  document: (value) => void process.stdout.write(`${visible(JSON.stringify(value, null, 2))}\n`),
  bytes: (view) =>
    new Promise((resolveWritten, reject) => {
      process.stdout.write(view, (error) => (error ? reject(error) : resolveWritten()));
    }),
  note: (text) => void process.stderr.write(`${terminalSafe(text)}\n`),
};
