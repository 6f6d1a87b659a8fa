import type { BusState, DeviceState } from '../dax/index.js';
import { fail } from '../libc/index.js';
import { describeHolders, type Holders } from './holders.js';

/**
 * The safety net of every change, whatever made it (a verb, a write into the sysfs tree): a device
 * whose driver, ranges or existence changed must have no holder in another process, because we cannot revoke that
 * process's pages as the kernel does.
 * @throws EBUSY naming the holders
 */
export function refuseHeldChanges(
  before: BusState,
  after: BusState,
  holders: Holders,
  blockBytes: number,
): void {
  for (const [name] of changedDevices(before, after)) refuseIfHeldByOthers(name, holders);
  for (const node of shrunkNodes(before, after, blockBytes))
    refuseIfHeldByOthers(nodeHolderName(node), holders);
}

/** @throws EBUSY naming the holders of a device in other processes */
export function refuseIfHeldByOthers(name: string, holders: Holders): void {
  const records = holders.others(name);
  if (records.length > 0) {
    fail(
      'EBUSY',
      `${name} is in use by ${describeHolders(records)}: end that use first; nothing was changed`,
      {
        path: name,
      },
    );
  }
}

/** Under which name the allocator of a memory node is held. */
export function nodeHolderName(node: number): string {
  return `node${node}`;
}

/** Devices whose driver let go of them (or that left the bus): handles on them are dead. */
export function unboundDevices(before: BusState, after: BusState): string[] {
  return changedDevices(before, after)
    .filter(([, was, is]) => was.driver !== null && is?.driver !== was.driver)
    .map(([name]) => name);
}

function changedDevices(
  before: BusState,
  after: BusState,
): [name: string, was: DeviceState, is: DeviceState | undefined][] {
  const present = new Map(
    after.regions.flatMap((region) => region.devices.map((device) => [device.name, device])),
  );
  return before.regions
    .flatMap((region) => region.devices)
    .map((was): [string, DeviceState, DeviceState | undefined] => [was.name, was, present.get(was.name)])
    .filter(([, was, is]) => !is || usesOf(was) !== usesOf(is));
}

/** What a user of a device relies on. */
function usesOf(device: DeviceState): string {
  return JSON.stringify([device.driver, device.align, device.ranges]);
}

/** Nodes that lost an online memory block. */
function shrunkNodes(before: BusState, after: BusState, blockBytes: number): number[] {
  const onlineAfter = new Set(onlineBlocks(after));
  const lost = onlineBlocks(before).filter((id) => !onlineAfter.has(id));
  const nodes = before.regions
    .filter((region) => lost.some((id) => contains(region, id * blockBytes)))
    .map((region) => region.targetNode);
  return [...new Set(nodes)];
}

function contains(region: { start: number; size: number }, address: number): boolean {
  return address >= region.start && address < region.start + region.size;
}

function onlineBlocks(state: BusState): number[] {
  return state.memoryBlocks.filter((block) => block.state !== 'offline').map((block) => block.id);
}
