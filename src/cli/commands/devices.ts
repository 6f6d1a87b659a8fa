import { type DaxMachine, type DeviceInfo, type DeviceMode, KernelMachine } from '../../machine/index.js';
import { daxctlList, daxctlListOf, type ListOptions } from '../../tree/index.js';
import { integerArgument } from '../arguments/numbers.js';
import { positiveSizeArgument, sizeArgument } from '../arguments/size.js';
import type { Context } from '../context.js';
import { UsageError } from '../errors.js';
import { type EitherMachine, withEither, withKernel, withMachineIfAny } from '../opening.js';
import { count, humanSize } from '../output/human.js';

interface ListFlags {
  devices?: boolean;
  regions?: boolean;
  mappings?: boolean;
  idle?: boolean;
  human?: boolean;
  region?: string;
  dev?: string;
}

/** `udax list` */
export function list(context: Context, _args: string[], { dev, ...flags }: ListFlags): void {
  if (flags.region !== undefined && flags.region !== 'all') integerArgument(flags.region, '-r ID');
  const options: ListOptions = { ...flags, device: dev ?? null };
  const text = context.kernel
    ? withKernel(context, (machine) => listed(machine, options))
    : withMachineIfAny(context, '', (machine) => listed(machine, options));
  if (text !== '') context.output.print(text.trimEnd());
}

function listed(machine: EitherMachine, options: ListOptions): string {
  return machine instanceof KernelMachine
    ? daxctlListOf(machine.sysfs, options)
    : daxctlList(machine, options);
}

/** Prints what a verb did to one device: a sentence, or with --json daxctl's document of the device. */
function tell(context: Context, machine: EitherMachine, device: DeviceInfo, done: string): void {
  const mode = device.state === 'disabled' ? '' : `, ${device.mode} mode (${device.driver})`;
  const daxctl = listed(machine, { device: device.name, devices: true, idle: true });
  context.show(JSON.parse(daxctl), () => `${device.name} ${done}: ${humanSize(device.size)}${mode}`);
}

interface CreateDeviceFlags {
  region?: string;
  size?: string;
  align?: string;
}

/** `udax create-device` */
export function createDevice(context: Context, _args: string[], flags: CreateDeviceFlags): void {
  const region = flags.region === undefined ? null : integerArgument(flags.region, '-r ID');
  const options = {
    ...(flags.size === undefined ? {} : { size: positiveSizeArgument(flags.size, '-s SIZE') }),
    ...(flags.align === undefined ? {} : { align: positiveSizeArgument(flags.align, '-a ALIGN') }),
  };
  withEither(context, (machine) => {
    const device = machine.createDevice(region ?? emptiestRegion(machine), options);
    tell(context, machine, device, 'made');
  });
}

function emptiestRegion(machine: DaxMachine): number {
  const regions = machine.regions().sort((a, b) => b.availableSize - a.availableSize);
  if (regions[0] === undefined)
    throw new UsageError(
      'this machine has no region: udax create-region -s 1GiB (of the kernel: docs/hardware.md)',
    );
  return regions[0].id;
}

/** `udax resize-device` */
export function resizeDevice(context: Context, [name = '']: string[], flags: { size?: string }): void {
  if (flags.size === undefined) throw new UsageError('resize-device needs -s SIZE, like -s 512M');
  const size = sizeArgument(flags.size, '-s SIZE');
  withEither(context, (machine) => tell(context, machine, machine.resizeDevice(name, size), 'resized'));
}

/** `udax destroy-device` */
export function destroyDevice(context: Context, [name = '']: string[], flags: { force?: boolean }): void {
  withEither(context, (machine) => {
    if (flags.force) machine.disable(name, { force: true });
    machine.destroyDevice(name);
    const left = machine.devices().find((device) => device.name === name);
    context.show({ device: name, destroyed: true }, () =>
      left ? `${name} is empty now; instance 0 itself stays` : `${name} is gone`,
    );
  });
}

/** `udax enable-device` */
export function enableDevice(context: Context, [name = '']: string[]): void {
  withEither(context, (machine) => tell(context, machine, machine.enable(name), 'enabled'));
}

/** `udax disable-device` */
export function disableDevice(context: Context, [name = '']: string[], flags: { force?: boolean }): void {
  withEither(context, (machine) => {
    tell(context, machine, machine.disable(name, { force: flags.force ?? false }), 'disabled');
  });
}

interface ReconfigureFlags {
  mode?: string;
  force?: boolean;
  /** Commander's name for --no-online. */
  online?: boolean;
}

const modes: readonly string[] = ['devdax', 'famfs', 'system-ram'] satisfies DeviceMode[];

/** `udax reconfigure-device` */
export function reconfigureDevice(context: Context, [name = '']: string[], flags: ReconfigureFlags): void {
  const { mode } = flags;
  if (mode === undefined || !modes.includes(mode)) {
    const given = mode === undefined ? 'reconfigure-device needs -m MODE' : `-m "${mode}" is no mode`;
    throw new UsageError(`${given}: one of ${modes.join(', ')}`);
  }
  const options = { force: flags.force ?? false, online: flags.online ?? true };
  if (mode === 'famfs' && !options.online)
    throw new UsageError('-N is about system-ram: leave it out with -m famfs');
  withEither(context, (machine) => {
    tell(context, machine, machine.reconfigure(name, mode as DeviceMode, options), 'reconfigured');
  });
}

/** `udax online-memory` */
export function onlineMemory(context: Context, [name = '']: string[], flags: { movable?: boolean }): void {
  withEither(context, (machine) => {
    const changed = machine.onlineMemory(name, { movable: flags.movable ?? true });
    tellBlocks(context, name, changed, 'online');
  });
}

/** `udax offline-memory` */
export function offlineMemory(context: Context, [name = '']: string[]): void {
  withEither(context, (machine) => tellBlocks(context, name, machine.offlineMemory(name), 'offline'));
}

function tellBlocks(context: Context, device: string, changed: number, state: string): void {
  context.show(
    { device, state, changedBlocks: changed },
    () => `${device}: ${count(changed, 'memory block')} went ${state}`,
  );
}
