/** The bus: regions, devices, who has them open; and what a change of mode would meet. */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { fail, hasCode } from '../../libc/index.js';
import { type HolderInfo, Machine, mountpointOf } from '../../machine/index.js';
import {
  type BusRegion,
  type BusView,
  MODES,
  type ModeCheck,
  type ShownMode,
  type ShownMount,
} from '../wire.js';
import type { AnyMachine } from './looked.js';

export function busOf(machine: AnyMachine, mounts: ShownMount[], readOnly: string | null): BusView {
  const holders = machine.holders();
  const poison = machine instanceof Machine ? machine.poisonList() : [];
  const status = machine instanceof Machine ? machine.status() : null;
  return {
    root: machine.root,
    generation: status?.generation ?? null,
    modules: status?.modules ?? modulesOf(machine),
    regions: machine.regions().map(regionOf),
    devices: machine.devices().map((device) => ({
      ...device,
      holders: holders.filter((holder) => holder.device === device.name),
      poison: poison.filter((range) => range.device === device.name),
    })),
    nodes: status?.nodes ?? [],
    mounts,
    readOnly,
    pid: process.pid,
  };
}

function modulesOf(machine: AnyMachine): string[] {
  return 'sysfs' in machine ? machine.status().drivers : [];
}

function regionOf(region: ReturnType<AnyMachine['regions']>[number]): BusRegion {
  const { id, size, availableSize, align, targetNode, devices } = region;
  const common = { id, static: region.static, size, availableSize, align, targetNode, devices };
  if (!('backing' in region)) return { ...common, backing: null };
  const { path, kind, problem } = region.backing;
  return { ...common, backing: { path, kind, ...(problem !== undefined && { problem }) } };
}

/** @throws DaxError EINVAL */
export function modeArgument(text: unknown): ShownMode {
  return (
    MODES.find((mode) => mode === text) ??
    fail('EINVAL', `${JSON.stringify(text)?.slice(0, 40)} is no mode: ${MODES.join(', ')}`)
  );
}

/**
 * What can be said of a change of mode before it is tried. The change itself may still be refused: somebody can open the device
 * in between.
 * @throws DaxError ENODEV
 */
export function checkMode(
  machine: AnyMachine,
  name: string,
  mode: ShownMode,
  readOnly: string | null,
): ModeCheck {
  const device = machine.deviceInfo(name);
  const consequence = consequenceOf(device.mode, mode, name);
  const refused = (code: string, message: string): ModeCheck => ({
    mode,
    refusal: { code, message },
    consequence,
  });
  if (readOnly !== null) return refused('EROFS', readOnly);
  if (device.mode === mode && device.state === 'enabled')
    return refused('EALREADY', `${name} is in ${mode} mode already`);
  const forbidden = machine instanceof Machine ? whyForbidden(machine.root) : null;
  if (forbidden !== null) return refused(forbidden, `${machine.root} may only be read by this user`);
  const block = machine instanceof Machine && mode === 'system-ram' ? missingBlock(machine, name) : null;
  if (block !== null)
    return refused(
      'EINVAL',
      `${name} holds no whole memory block of ${block} bytes, which ordinary memory needs`,
    );
  const holders = machine.holders(name);
  if (holders.length > 0) return refused('EBUSY', `${name} is in use by ${holders.map(describe).join('; ')}`);
  return { mode, refusal: null, consequence };
}

/** The errno code of a change by this user: whoever changes the machine locks this file. */
function whyForbidden(root: string): 'EACCES' | 'EROFS' | null {
  try {
    accessSync(join(root, 'machine.lock'), constants.W_OK);
    return null;
  } catch (error) {
    return hasCode(error, 'EROFS') ? 'EROFS' : 'EACCES';
  }
}

/** The size of a memory block, bytes, when no range of the device holds a whole one; else null. */
function missingBlock(machine: Machine, name: string): number | null {
  const { blockBytes } = machine.bus.memoryBlocks;
  const holdsOne = ({ start, end }: { start: number; end: number }): boolean =>
    (Math.ceil(start / blockBytes) + 1) * blockBytes <= end + 1;
  return machine.deviceInfo(name).ranges.some(holdsOne) ? null : blockBytes;
}

function describe(holder: HolderInfo): string {
  const where = mountpointOf(holder);
  const remedy = where === undefined ? 'end that use first' : `unmount ${where} first`;
  return `pid ${holder.pid} (${holder.command}: ${holder.purpose}); ${remedy}`;
}

function consequenceOf(from: string, to: ShownMode, name: string): string {
  if (to === 'system-ram')
    return `the memory of ${name} becomes ordinary memory of its node: what is on it is overwritten, a file system too`;
  if (to === 'devdax')
    return `${name} can be mapped as a whole; its files are not reachable until it is in famfs mode again, and stay where they are`;
  return from === 'system-ram'
    ? `${name} can have a famfs; what was on it before it was memory is gone`
    : `${name} can be mounted, or made a famfs; its bytes stay as they are`;
}
