import type { BusState, DeviceState } from '../../dax/index.js';
import { fail } from '../../libc/index.js';
import { describeHolders, endOfUse, type Holders } from '../holders.js';
import type { UsePlace, UseScope } from '../use-lock.js';
import type { MachineDocument } from './document.js';
import { goesWithRegion } from './region-backing.js';

/**
 * Protects held devices from every change, whatever made it (a verb, a write into the sysfs tree). When the driver, the ranges or
 * the existence of a device changed, no other process may hold it: udax cannot revoke the pages of another process as the kernel
 * does. When the memory itself changes hands (it becomes system-ram, or its file is removed), no other process may use it under
 * any name.
 * @param placesIn where the memory of a device lies, before or after the change
 * @returns a function that releases the locks; until then no other process can begin to use what changed
 * @throws DaxError EBUSY naming the holders
 */
export function takeChangedAlone(
  { before, after, blockBytes }: { before: MachineDocument; after: MachineDocument; blockBytes: number },
  holders: Holders,
  placesIn: (state: MachineDocument, device: string) => UsePlace[],
): () => void {
  const wanted = new Map<string, { scope: UseScope; places?: UsePlace[] }>();
  for (const [name, , is] of changedDevices(before, after)) {
    wanted.set(name, { scope: !is && isOwnMemory(before, name) ? 'memory' : 'device' });
  }
  for (const { id, backing, serial } of before.regions) {
    if (!goesWithRegion(backing) || after.regions.some((region) => region.serial === serial)) continue;
    const name = restOfRegion(id);
    wanted.set(name, { scope: 'memory', places: placesIn(before, name) });
  }
  for (const node of shrunkNodes(before, after, blockBytes)) {
    wanted.set(nodeHolderName(node), { scope: 'device' });
  }
  for (const name of newSystemRam(before, after)) {
    wanted.set(name, { scope: 'memory', places: placesIn(after, name) });
  }
  const taken: (() => void)[] = [];
  const release = (): void => {
    for (const letGo of taken.reverse()) letGo();
  };
  try {
    for (const [name, { scope, places }] of wanted) {
      refuseIfHeldByOthers(name, holders);
      taken.push(holders.takeAlone(name, scope, places));
    }
    return release;
  } catch (error) {
    release();
    throw error;
  }
}

/** The name under which the bytes of a region that belong to no device are locked. */
export function restOfRegion(id: number): string {
  return `rest of region ${id}`;
}

/** Whether the file under a device is removed with its region. */
function isOwnMemory(state: MachineDocument, device: string): boolean {
  return state.regions.some(
    (region) => goesWithRegion(region.backing) && region.devices.some(({ name }) => name === device),
  );
}

/** Devices that become system-ram. From then on the memory belongs to the node, and allocations overwrite it. */
export function newSystemRam(before: BusState, after: BusState): string[] {
  const driverBefore = new Map(
    before.regions.flatMap((region) => region.devices.map((device) => [device.name, device.driver])),
  );
  return after.regions
    .flatMap((region) => region.devices)
    .filter(({ name, driver }) => driver === 'kmem' && driverBefore.get(name) !== 'kmem')
    .map(({ name }) => name);
}

/** @throws DaxError EBUSY naming the holders of a device in other processes */
export function refuseIfHeldByOthers(name: string, holders: Holders): void {
  const records = holders.others(name);
  if (records.length > 0) {
    fail(
      'EBUSY',
      `${name} is in use by ${describeHolders(records)}: end that use first; nothing was changed`,
      { path: name, ...endOfUse(records) },
    );
  }
}

/** The holder name of a memory node's allocator. */
export function nodeHolderName(node: number): string {
  return `node${node}`;
}

/** Devices that were unbound from their driver or left the bus. Handles on them are dead. */
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

/** What a user of a device relies on not to change. */
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
