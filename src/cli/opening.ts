import { statSync } from 'node:fs';
import { join } from 'node:path';
import { deviceMedia, Log, type MountOptions, mountFamfsOn, type Volume } from '../famfs/index.js';
import { asDaxError, fail, hasCode, type LockPatience } from '../libc/index.js';
import {
  isDeviceName,
  type KernelMachine,
  type Machine,
  type MachineDevice,
  openDevice,
  openKernel,
  openMachine,
} from '../machine/index.js';
import type { Context } from './context.js';
import { count } from './output/human.js';

/** Commands are synchronous and block nothing else, so they wait up to 5 s for a lock, and say that they wait. */
export function patienceOf(context: Context): LockPatience {
  return {
    lockWaitMs: 5000,
    onLockWait: (what) => context.output.note(`udax: waiting for ${what}`),
  };
}

/** Runs `use` with the machine at the root, and closes it. Makes the machine if there is none. */
export function withMachine<T>(context: Context, use: (machine: Machine) => T): T {
  const machine = openMachine(context.root, { create: true, ...patienceOf(context) });
  try {
    return use(machine);
  } finally {
    machine.close();
  }
}

/** Like withMachine, but makes nothing: returns `absent` where no machine was ever made. */
export function withMachineIfAny<T>(context: Context, absent: T, use: (machine: Machine) => T): T {
  return isMachine(context.root) ? withMachine(context, use) : absent;
}

/** Like withMachine, but there must be a machine already. @throws DaxError ENODEV */
export function withExistingMachine<T>(context: Context, use: (machine: Machine) => T): T {
  if (!isMachine(context.root)) noMachine(context.root);
  return withMachine(context, use);
}

/** The machine that most commands about devices work on. */
export type EitherMachine = Machine | KernelMachine;

/** Runs `use` with the kernel's bus or with the existing machine, as the command line asks. @throws DaxError ENODEV */
export function withEither<T>(context: Context, use: (machine: EitherMachine) => T): T {
  return context.kernel ? withKernel(context, use) : withExistingMachine(context, use);
}

/** Opens the kernel's bus or the existing machine, for a command that stays. The caller closes it. @throws DaxError ENODEV */
export function openEither(context: Context): EitherMachine {
  if (context.kernel) return openKernel(context.kernel, { stateDirectory: context.root });
  if (!isMachine(context.root)) noMachine(context.root);
  return openMachine(context.root, patienceOf(context));
}

/** Runs `use` with the kernel's bus. */
export function withKernel<T>(context: Context, use: (machine: KernelMachine) => T): T {
  const machine = openKernel(context.kernel ?? 'kernel:', { stateDirectory: context.root });
  try {
    return use(machine);
  } finally {
    machine.close();
  }
}

function noMachine(root: string): never {
  fail('ENODEV', `there is no machine at ${root}\nMake one: udax create-region -s 1GiB (or say --root DIR)`);
}

/** Whether a machine was ever made at a root. @throws DaxError EACCES this user may not look there */
export function isMachine(root: string): boolean {
  const path = join(root, 'machine.json');
  try {
    statSync(path);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false;
    throw asDaxError(error, `state directory ${root} cannot be read (choose another with --root)`, path);
  }
}

/** Runs `use` with an open device (name, node or image file) and closes it afterwards. */
export function withDevice<T>(
  context: Context,
  where: string,
  { writable }: { writable: boolean },
  use: (device: MachineDevice) => T,
): T {
  const device = openDeviceOf(context, where, { writable });
  return closing(device, use);
}

/** Runs `use` with the volume on a device, and closes it. With `readOnly` nothing is written. */
export function withVolume<T>(
  context: Context,
  where: string,
  options: MountOptions & { readOnly: boolean },
  use: (volume: Volume, device: MachineDevice) => T,
): T {
  return withDevice(context, where, { writable: !options.readOnly }, (device) =>
    closing(
      mountFamfsOn(device, {
        ...options,
        ...patienceOf(context),
        ...(context.role && { role: context.role }),
      }),
      (volume) => {
        warnOfDamage(context, volume, device);
        return use(volume, device);
      },
    ),
  );
}

/**
 * Warns of what the log has but the volume does not show, or shows wrong: entries that break a rule, and those after a bad one.
 */
export function warnOfDamage(context: Context, volume: Volume, device: MachineDevice): void {
  warnOfEntries(context, volume, device);
  if (!volume.isSalvage) warnOfHidden(context, volume, device);
}

/** Warns of entries that pass their checks but break a rule: the replay skips each of them (famfs-format.md 17). */
function warnOfEntries(context: Context, volume: Volume, device: MachineDevice): void {
  const [first, ...more] = volume.skipped;
  if (first === undefined) return;
  const others = more.length === 0 ? '' : `; and ${count(more.length, 'more problem')}`;
  context.output.note(`udax: ${device.name}: ${first.message}${others} (udax fsck tells more)`);
}

/** Warns of a log entry that fails its checks: it ends the replay. */
function warnOfHidden(context: Context, volume: Volume, device: MachineDevice): void {
  const media = deviceMedia(device);
  try {
    const replayed = volume.statfs().logUsed;
    const log = Log.at(media, volume.superblock);
    const published = Math.min(log.nextIndex(), log.slots);
    const problem = replayed < published ? log.checkEntry(replayed)[0] : undefined;
    if (problem === undefined) return;
    const hidden = count(published - replayed, 'entry', 'entries');
    context.output.note(
      `udax: ${device.name}: ${problem.message}; ${hidden} from there on not shown (udax fsck tells more)`,
    );
  } finally {
    media.close();
  }
}

/** Opens a device. The caller closes it. */
export function openDeviceOf(context: Context, where: string, { writable }: { writable: boolean }) {
  requireMachineOf(context, where);
  return openDevice(where, { ...machineOf(context), ...patienceOf(context), writable });
}

/** Requires a machine for a device name, unless the name is on the kernel's bus. @throws DaxError ENODEV */
export function requireMachineOf(context: Context, where: string): void {
  if (isDeviceName(where) && !context.kernel && !isMachine(context.root)) noMachine(context.root);
}

/** The machine that device names refer to, for openDevice() and similar functions. */
export function machineOf(context: Context): { root: string; stateDirectory: string } {
  return { root: context.kernel ?? context.root, stateDirectory: context.root };
}

/** Closes after `use`, also when `use` is asynchronous. */
function closing<R extends { close(): void }, T>(resource: R, use: (resource: R) => T): T {
  let result: T;
  try {
    result = use(resource);
  } catch (error) {
    resource.close();
    throw error;
  }
  if (result instanceof Promise) return result.finally(() => resource.close()) as T;
  resource.close();
  return result;
}
