/** The root of the tree over one bus. */
import type { Bus } from '../../dax/index.js';
import { busDirectory, modulesDirectory } from './attributes/bus.js';
import { systemDirectory } from './attributes/memory.js';
import { providerDirectory } from './attributes/region.js';
import { type DirectoryNode, directory, link, type SysfsNode } from './node.js';
import { devicePath, type RegionPlace } from './place.js';
import { relativeTarget } from './walk.js';

export function rootDirectory(bus: Bus, place: RegionPlace): DirectoryNode {
  return directory(() => [
    ['bus', directory(() => [['dax', busDirectory(bus, place)]])],
    ['dev', directory(() => [['char', characterDevices(bus, place)]])],
    ['devices', devicesDirectory(bus, place)],
    ['module', modulesDirectory(bus)],
  ]);
}

function characterDevices(bus: Bus, place: RegionPlace): DirectoryNode {
  return directory(() =>
    bus.devices().map((device) => [device.devt, link(relativeTarget('dev/char', devicePath(place, device)))]),
  );
}

interface Leaf {
  path: string[];
  node: () => SysfsNode;
}

function devicesDirectory(bus: Bus, place: RegionPlace): DirectoryNode {
  const all = directoryOf(() => [
    { path: ['system'], node: () => systemDirectory(bus) },
    ...bus.regions.map((region) => ({
      path: place(region).split('/'),
      node: () => providerDirectory(bus, region, place),
    })),
  ]);
  // A short cut for `system`: it is looked up once or twice for each of thousands of memory blocks.
  return { ...all, child: (name) => (name === 'system' ? systemDirectory(bus) : all.child(name)) };
}

/** The directories that lead to some leaves. */
function directoryOf(leaves: () => Leaf[]): DirectoryNode {
  return directory(() => {
    const below = new Map<string, Leaf[]>();
    for (const leaf of leaves()) {
      const name = leaf.path[0] ?? '';
      below.set(name, [...(below.get(name) ?? []), leaf]);
    }
    return [...below].map(([name, group]) => [name, childOf(group)]);
  });
}

function childOf(group: Leaf[]): SysfsNode {
  const end = group.find((leaf) => leaf.path.length === 1);
  return end ? end.node() : directoryOf(() => group.map(({ path, node }) => ({ path: path.slice(1), node })));
}
