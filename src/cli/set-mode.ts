import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { isDeviceName, type KernelMachine, openMachine } from '../machine/index.js';
import { isDaemon, passOnReadiness, sayFailed } from '../mounts/index.js';
import type { Invocation } from './catalog/spec.js';
import type { Context } from './context.js';
import { describeError, exitStatus, UsageError } from './errors.js';
import { ENDING_SIGNALS } from './interrupt.js';

/** Tells the inner process that somebody keeps the modes for it, and who. */
const KEEPER = 'UDAX_MODE_KEEPER';

/**
 * --set-mode: this process puts the devices into devdax mode, runs the same command line in a second process, and puts the modes
 * back when that has ended, however it ended: by then all it had open is closed, which a change back needs, and neither
 * Ctrl-C nor SIGKILL of the command can be in the way. Only a SIGKILL of this process leaves the mode as it is.
 * @returns false when the command is to run here: this is the second process, or a mount that goes on in the background
 */
export async function runWithModes(context: Context, invocation: Invocation): Promise<boolean> {
  if (keeperPid() !== undefined) return false;
  const goesOnInBackground = invocation.spec.name === 'mount' && !invocation.options.foreground;
  if (goesOnInBackground) return false;
  const names = realDevices(context, invocation);
  try {
    await withModes(context, names);
  } catch (error) {
    // A mount in the background has a starter that waits for word.
    if (!isDaemon() || !sayFailed(error)) throw error;
    process.exitCode = exitStatus.failed;
  }
  return true;
}

/** The process that puts the modes back after this one, if there is one. */
export function keeperPid(): number | undefined {
  const pid = Number(process.env[KEEPER]);
  return pid > 0 ? pid : undefined;
}

/** Devices of the kernel among the arguments: `/dev/dax0.0`, `/dev/dax0.0:/a`, and with --kernel `dax0.0`. */
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
  const machine = openMachine(context.kernel ?? 'kernel:', { stateDirectory: context.root });
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

/** All of them or none. */
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

/** Tries every one; what fails is told, with the command that repairs it, and makes the exit status 1. */
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

/** The same command line again; its end becomes ours. */
async function runInner(signals: ForwardedSignals): Promise<void> {
  const readiness = isDaemon();
  const child = spawn(process.execPath, process.argv.slice(1), {
    stdio: ['inherit', 'inherit', 'inherit', ...(readiness ? [3] : [])],
    env: { ...process.env, [KEEPER]: String(process.pid) },
  });
  signals.child = child;
  // Its word is the one the starter waits for; ours is given up, or the starter would wait for us as well.
  if (readiness) passOnReadiness();
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal!]));
  });
}

/** While modes are borrowed no signal ends this process; the command gets it and ends, then we do. */
class ForwardedSignals {
  child: ChildProcess | undefined;
  constructor() {
    for (const name of ENDING_SIGNALS) process.on(name, this.#forward);
  }

  readonly #forward = (name: NodeJS.Signals): void => {
    // A terminal's Ctrl-C has reached the command already: both are in its foreground.
    const fromTerminal =
      name === 'SIGINT' && [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY);
    if (!fromTerminal) this.child?.kill(name);
  };

  end(): void {
    for (const name of ENDING_SIGNALS) process.off(name, this.#forward);
  }
}
