/** `daxR.N/` and its `mappingN/`. */
import { type Bus, type DaxRange, type DevDax, deviceStores } from '../../../dax/index.js';
import {
  type AttributeRow,
  attributes,
  type DirectoryNode,
  directory,
  type Entries,
  emptyDirectory,
  link,
} from '../node.js';
import { BUS_PATH, devicePath, driverPath, type RegionPlace } from '../place.js';
import { parseSyntheticUevent, ueventAttribute } from '../uevents.js';
import { relativeTarget } from '../walk.js';

export interface DeviceSubject {
  readonly bus: Bus;
  readonly device: DevDax;
}

/** The mode on a static and on a dynamic region; null: no such file. */
function byRegion(onStatic: number | null, onDynamic: number | null) {
  return ({ device }: DeviceSubject) => (device.region.isStatic ? onStatic : onDynamic);
}

const DEVICE_ATTRIBUTES: readonly AttributeRow<DeviceSubject>[] = [
  {
    name: 'align',
    mode: byRegion(0o444, 0o644),
    show: ({ device }) => `${device.align}\n`,
    store: ({ device }, text) => deviceStores.align(device, text),
  },
  { name: 'dev', mode: 0o444, show: ({ device }) => `${device.devt}\n` },
  {
    name: 'mapping',
    mode: byRegion(null, 0o200),
    store: ({ device }, text) => deviceStores.mapping(device, text),
  },
  {
    name: 'memmap_on_memory',
    mode: 0o644,
    show: ({ device }) => (device.memmapOnMemory ? '1\n' : '0\n'),
    store: ({ device }, text) => deviceStores.memmap_on_memory(device, text),
  },
  { name: 'modalias', mode: 0o444, show: ({ device }) => `${device.modalias}\n` },
  { name: 'numa_node', mode: 0o444, show: ({ device }) => `${device.numaNode}\n` },
  { name: 'resource', mode: 0o400, show: ({ device }) => `${hex(device.resource)}\n` },
  {
    name: 'size',
    mode: byRegion(0o444, 0o644),
    show: ({ device }) => `${device.size}\n`,
    store: ({ device }, text) => deviceStores.size(device, text),
  },
  { name: 'target_node', mode: 0o444, show: ({ device }) => `${device.targetNode}\n` },
  {
    name: 'uevent',
    mode: 0o644,
    show: ({ device }) => ueventAttribute(device),
    store: ({ bus, device }, text) => {
      const { action, lines } = parseSyntheticUevent(text);
      bus.emitUevent(action, device, lines);
    },
  },
];

const MAPPING_ATTRIBUTES: readonly AttributeRow<DaxRange>[] = [
  { name: 'end', mode: 0o400, show: (range) => `${hex(range.end)}\n` },
  { name: 'page_offset', mode: 0o400, show: (range) => `${hex(range.pageOffset)}\n` },
  { name: 'start', mode: 0o400, show: (range) => `${hex(range.start)}\n` },
  // A mapping is a device without a bus: it sends no uevents.
  { name: 'uevent', mode: 0o644, show: () => '', store: (_range, text) => void parseSyntheticUevent(text) },
];

export function deviceDirectory(bus: Bus, device: DevDax, place: RegionPlace): DirectoryNode {
  const here = devicePath(place, device);
  return directory(() => {
    const entries: Entries = attributes(DEVICE_ATTRIBUTES, { bus, device });
    if (device.driver !== null) {
      entries.push(['driver', link(relativeTarget(here, driverPath(device.driver)))]);
    }
    device.ranges.forEach((range, index) => {
      entries.push([`mapping${index}`, mappingDirectory(range)]);
    });
    entries.push(['power', emptyDirectory], ['subsystem', link(relativeTarget(here, BUS_PATH))]);
    return entries;
  });
}

function mappingDirectory(range: DaxRange): DirectoryNode {
  return directory(() => [...attributes(MAPPING_ATTRIBUTES, range), ['power', emptyDirectory]]);
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
