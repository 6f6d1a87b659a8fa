import { isError } from '../../libc/index.js';
import { KMEM_RESOURCE } from '../drivers/kmem.js';
import type { DevDax } from '../regions/dev-dax.js';
import { Region } from '../regions/region.js';
import type { BusParts } from './parts.js';
import { type BusState, type DeviceState, deviceState, type RegionState, regionFacts } from './state.js';

/**
 * Brings a bus (new or live) into a stored state, without side effects: no uevents, no policy, no wiping. Regions and devices
 * that are as stored are not touched, and keep their open files and holders. Others are unbound, changed and bound again.
 * @returns what could not be restored, one line each (a device whose probe fails stays unbound)
 */
export function restore(bus: BusParts, state: BusState): string[] {
  const problems: string[] = [];
  const { autoOnline } = state;
  bus.uevents.muted = true;
  bus.memoryBlocks.autoOnline = 'offline';
  try {
    restoreModules(bus, state);
    removeRegions(bus, state);
    for (const stored of state.regions) restoreRegion(bus, stored);
    restoreStranded(bus, state, problems);
    bindDevices(bus, state, problems);
    restoreBlocks(bus, state, problems);
    for (const stored of state.regions) findRegion(bus, stored)!.setStored(stored.seed, stored.youngest);
    bus.pages.replacePoison(state.poison);
  } finally {
    bus.uevents.muted = false;
    bus.memoryBlocks.autoOnline = autoOnline;
    bus.autoprobe.on = state.autoprobe;
  }
  return problems;
}

function restoreModules(bus: BusParts, state: BusState): void {
  const names = state.modules.map(({ name }) => name);
  for (const device of bus.devices.all)
    if (device.driver !== null && !names.includes(device.driver)) bus.binder.unbind(device);
  bus.modules.restore(names);
  for (const { name, ids } of state.modules) bus.modules.driver(name)?.setIds(ids);
}

function findRegion(bus: BusParts, stored: RegionState): Region | undefined {
  const facts = regionFacts(stored);
  return bus.regions.find((region) => regionFacts(region) === facts);
}

function removeRegions(bus: BusParts, state: BusState): void {
  const wanted = new Set(state.regions.map(regionFacts));
  for (const region of [...bus.regions].reverse()) {
    const stored = state.regions.find((candidate) => regionFacts(candidate) === regionFacts(region));
    if (!wanted.has(regionFacts(region))) bus.removeRegion(region);
    else
      for (const device of [...region.devices].reverse())
        if (!stored!.devices.some(({ name, minor }) => name === device.name && minor === device.minor))
          removeDevice(bus, region, device);
  }
}

function removeDevice(bus: BusParts, region: Region, device: DevDax): void {
  if (device.binding !== null) bus.binder.unbind(device);
  region.drop(device);
}

/** Restores a region and its devices; a device that differs is unbound. Drivers are bound later, when all ranges are in place. */
function restoreRegion(bus: BusParts, stored: RegionState): void {
  let region = findRegion(bus, stored);
  if (region === undefined) {
    region = new Region(bus.host, stored.id, { ...stored, static: stored.isStatic });
    bus.regions.push(region);
  }
  for (const wanted of stored.devices) {
    const device = region.devices.find(({ name }) => name === wanted.name);
    if (device === undefined) {
      bus.minors.reserve(wanted.minor);
      const added = region.addStored(wanted.instance, wanted.minor, wanted.ranges);
      added.setStored(wanted.align, wanted.memmapOnMemory);
      bus.devices.add(added);
    } else if (!bindingFits(device, wanted)) {
      if (device.binding !== null) bus.binder.unbind(device);
      changeDevice(device, wanted);
    } else if (JSON.stringify(deviceState(device)) !== JSON.stringify(wanted)) changeDevice(device, wanted);
  }
}

/** True when the current binding is as stored, so that it can stay. */
function bindingFits(device: DevDax, wanted: DeviceState): boolean {
  const { binding } = device;
  if (binding === null) return wanted.driver === null;
  if (binding.driver !== wanted.driver || device.align !== wanted.align) return false;
  const spans = (ranges: readonly { start: number; end: number }[]): string =>
    JSON.stringify(ranges.map(({ start, end }) => [start, end]));
  return spans(binding.ranges) === spans(wanted.ranges.slice(0, wanted.boundRanges));
}

function changeDevice(device: DevDax, wanted: DeviceState): void {
  device.setSpans(wanted.ranges);
  device.setStored(wanted.align, wanted.memmapOnMemory);
}

function bindDevices(bus: BusParts, state: BusState, problems: string[]): void {
  for (const stored of state.regions)
    for (const wanted of stored.devices) {
      const device = bus.devices.byName(wanted.name);
      if (device === undefined || wanted.driver === null || device.binding !== null) continue;
      const driver = bus.modules.driver(wanted.driver);
      if (driver === undefined) {
        problems.push(`${wanted.name}: driver ${wanted.driver} is not loaded`);
        continue;
      }
      device.setSpans(wanted.ranges.slice(0, wanted.boundRanges));
      try {
        // The stored binding was valid when it was made. The id may have been removed since.
        bus.binder.probe(driver, device, true);
      } catch (error) {
        if (!(isError(error) && 'code' in error)) throw error;
        problems.push(`${wanted.name}: ${wanted.driver} cannot be bound again: ${error.message}`);
      } finally {
        device.setSpans(wanted.ranges);
      }
    }
}

function restoreStranded(bus: BusParts, state: BusState, problems: string[]): void {
  const { memoryBlocks, resources, stranded } = bus.platform;
  const key = ({ start, end }: { start: number; end: number }): string => `${start}-${end}`;
  const wanted = new Set(state.stranded.map(key));
  for (const memory of [...stranded]) if (!wanted.has(key(memory))) bus.forgetStranded(memory);
  for (const { device, start, end, node } of state.stranded) {
    if (stranded.some((memory) => key(memory) === key({ start, end }))) continue;
    const resource = resources.request(start, end, device, { busy: false });
    if (resource === null) {
      problems.push(`${device}: ${start}-${end} is claimed by somebody else`);
      continue;
    }
    resources.requestChild(resource, start, end, KMEM_RESOURCE);
    memoryBlocks.add(start, end - start + 1, node, device, 'offline');
    stranded.push({ device, start, end, node, resource });
  }
}

function restoreBlocks(bus: BusParts, state: BusState, problems: string[]): void {
  for (const { id, state: policy } of state.memoryBlocks) {
    const block = bus.memoryBlocks.block(id);
    if (block === undefined) {
      problems.push(`memory${id} is not there any more`);
      continue;
    }
    if (block.policy === policy) continue;
    try {
      if (block.state === 'online') bus.memoryBlocks.setState(id, 'offline');
      if (policy !== 'offline') bus.memoryBlocks.setState(id, policy);
    } catch (error) {
      if (!(isError(error) && 'code' in error)) throw error;
      problems.push(error.message);
    }
  }
}
