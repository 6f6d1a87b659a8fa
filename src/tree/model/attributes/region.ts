/** The provider's directory of a region: `dax_region/` and the devices beside it. */
import { type Bus, type Region, regionStores } from '../../../dax/index.js';
import {
  type AttributeRow,
  attributes,
  type DirectoryNode,
  directory,
  type Entries,
  largeDirectory,
} from '../node.js';
import type { RegionPlace } from '../place.js';
import { deviceDirectory } from './device.js';

/** The mode on a dynamic region; a static one does not have the file. */
function dynamic(mode: number) {
  return (region: Region) => (region.isStatic ? null : mode);
}

const REGION_ATTRIBUTES: readonly AttributeRow<Region>[] = [
  { name: 'align', mode: 0o400, show: (region) => `${region.align}\n` },
  { name: 'available_size', mode: dynamic(0o444), show: (region) => `${region.availableSize}\n` },
  {
    name: 'create',
    mode: dynamic(0o644),
    show: (region) => `${region.youngest?.name ?? ''}\n`,
    store: (region, text) => regionStores.create(region, text),
  },
  { name: 'delete', mode: dynamic(0o200), store: (region, text) => regionStores.delete(region, text) },
  { name: 'id', mode: 0o444, show: (region) => `${region.id}\n` },
  { name: 'seed', mode: dynamic(0o444), show: (region) => `${region.seed?.name ?? ''}\n` },
  { name: 'size', mode: 0o444, show: (region) => `${region.size}\n` },
];

export function providerDirectory(bus: Bus, region: Region, place: RegionPlace): DirectoryNode {
  const own = directory(() => attributes(REGION_ATTRIBUTES, region));
  return largeDirectory(
    () => [
      ['dax_region', own],
      ...region.devices.map((device): Entries[number] => [device.name, deviceDirectory(bus, device, place)]),
    ],
    (name) => {
      const device = region.devices.find((candidate) => candidate.name === name);
      return device ? deviceDirectory(bus, device, place) : name === 'dax_region' ? own : undefined;
    },
  );
}
