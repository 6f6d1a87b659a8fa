import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { isDeviceName, type KernelMachine, openKernel } from '../machine/index.js';
import { isDaemon, passOnReadiness, sayFailed } from '../mounts/serving.js';
import type { Invocation } from './catalog/spec.js';
import type { Context } from './context.js';
import { describeError, exitStatus, UsageError } from './errors.js';
import { ENDING_SIGNALS } from './interrupt.js';

/** Environment variable of the inner process: the pid of the process that keeps the modes for it. */
const KEEPER = 'UDAX_MODE_KEEPER';

/**
 * Runs a command with --set-mode. This process puts the devices into devdax mode, runs the same command line in a second process,
 * and puts the modes back when that process has ended for any reason. By then everything the command opened is closed, which
 * changing back requires. Neither Ctrl-C nor a SIGKILL of the command prevents it. Only a SIGKILL of this process leaves the
 * modes changed.
 * @returns false when the command has to run here: this is the second process, or a mount in the background, whose daemon does
 *   this itself
 */
export async function runWithModes(context: Context, invocation: Invocation): Promise<boolean> {
  if (keeperPid() !== undefined) return false;
  const goesOnInBackground = invocation.spec.name === 'mount' && !invocation.options.foreground;
  if (goesOnInBackground) return false;
  const names = realDevices(context, invocation);
  try {
    await withModes(context, names);
  } catch (error) {
    // The starter of a background mount waits for a message, so the failure is sent to it.
    if (!isDaemon() || !sayFailed(error)) throw error;
    process.exitCode = exitStatus.failed;
  }
  return true;
}

/** The process that puts the modes back after this one has ended; undefined if there is none. */
export function keeperPid(): number | undefined {
  const pid = Number(process.env[KEEPER]);
  return pid > 0 ? pid : undefined;
}

/** The kernel's devices among the arguments: `/dev/dax0.0`, `/dev/dax0.0:/a`, and with --kernel `dax0.0`. */
function realDevices(context: Context, { spec, args, options }: Invocation): string[] {
  if (spec.group === 'Regions and devices:' || spec.group === 'The machine:') {
    throw new UsageError(`--set-mode is for commands that use the memory of a device; ${spec.name} does not`);
  }
  const words = [...args, ...Object.values(options).filter((value) => typeof value === 'string')];
  const names = words.flatMap((word) => {
    const device = word.split(':', 1)[0]!;
    const name = device.replace(/^\/dev\//, '');
    return isDeviceName(name) && (context.kernel !== undefined || name !== device) ? [name] : [];
  });
  if (names.length > 0) return [...new Set(names)];
  throw new UsageError(
    `--set-mode is about real devices, and ${spec.name} names none: /dev/dax0.0, or dax0.0 with --kernel`,
  );
}

async function withModes(context: Context, names: readonly string[]): Promise<void> {
  const signals = new ForwardedSignals();
  const machine = openKernel(context.kernel ?? 'kernel:', { stateDirectory: context.root });
  try {
    const taken = takeModes(context, machine, names);
    try {
      await runInner(signals);
    } finally {
      giveBack(context, taken);
    }
  } finally {
    machine.close();
    signals.end();
  }
}

interface Taken {
  name: string;
  before: string;
  restore(): void;
}

/** Borrows the modes of all devices, or of none. */
function takeModes(context: Context, machine: KernelMachine, names: readonly string[]): Taken[] {
  const taken: Taken[] = [];
  try {
    for (const name of names) {
      const { before, restore } = machine.borrowMode(name, 'devdax');
      taken.push({ name, before, restore });
      if (before !== 'devdax') context.output.note(borrowedText(name, before));
    }
    return taken;
  } catch (error) {
    giveBack(context, taken);
    throw error;
  }
}

function borrowedText(name: string, before: string): string {
  const loss = before === 'system-ram' ? '; afterwards it is RAM again, and what was written is lost' : '';
  return `udax: ${name} is in devdax mode until this ends (it was ${before}${loss})`;
}

/** Puts every mode back. A failure is printed with the command that repairs it, and makes the exit status 1. */
function giveBack(context: Context, taken: readonly Taken[]): void {
  for (const { name, before, restore } of [...taken].reverse()) {
    try {
      restore();
    } catch (error) {
      const command =
        before === 'disabled' ? `disable-device ${name}` : `reconfigure-device -m ${before} ${name}`;
      context.output.note(describeError(error, '--set-mode').trimEnd());
      context.output.note(`udax: ${name} could not be put back; later: udax --kernel ${command}`);
      process.exitCode = exitStatus.failed;
    }
  }
}

/** Runs the same command line in a second process and takes over its exit status. */
async function runInner(signals: ForwardedSignals): Promise<void> {
  const readiness = isDaemon();
  const child = spawn(process.execPath, process.argv.slice(1), {
    stdio: ['inherit', 'inherit', 'inherit', ...(readiness ? [3] : [])],
    env: { ...process.env, [KEEPER]: String(process.pid) },
  });
  signals.child = child;
  // The second process sends the message the starter waits for. This process gives up its own pipe, or the starter would wait for
  // it too.
  if (readiness) passOnReadiness();
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal!]));
  });
}

/** While modes are borrowed no signal ends this process: it passes the signal on to the command, and ends after it. */
class ForwardedSignals {
  child: ChildProcess | undefined;
  constructor() {
    for (const name of ENDING_SIGNALS) process.on(name, this.#forward);
  }

  readonly #forward = (name: NodeJS.Signals): void => {
    // Ctrl-C of a terminal has already reached the command, because both processes are in the terminal's foreground.
    const fromTerminal =
      name === 'SIGINT' && [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY);
    if (!fromTerminal) this.child?.kill(name);
  };

  end(): void {
    for (const name of ENDING_SIGNALS) process.off(name, this.#forward);
  }
}
