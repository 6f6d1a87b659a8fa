import type { DevDax, DirectAccess } from '../../../dax/index.js';
import { PAGE_SIZE, PMD_PAGES, PMD_SIZE } from '../../../mm/index.js';
import type { Operation } from '../operation.js';
import { pageAt } from '../oracle.js';
import type { World } from '../world.js';

/** File systems mount, map and unmap pages of a file, and zero pages. */
export const fileSystemOperations: readonly Operation[] = [
  {
    name: 'mount',
    words: 'FS DEVICE',
    group: 'file-systems',
    offers: ({ bus, fileSystems }) => {
      const free = fileSystems.find(({ device, leaving }) => device === null && leaving === null);
      return free === undefined ? [] : bus.devices().map(({ name }) => [free.name, name]);
    },
    apply: (world, [name, device]) => world.fileSystem(name!).mount(world.device(device!)),
  },
  {
    name: 'umount',
    words: 'FS',
    group: 'file-systems',
    offers: ({ fileSystems }) =>
      fileSystems.filter(({ device }) => device !== null).map(({ name }) => [name]),
    apply: (world, [name]) => world.fileSystem(name!).umount(),
  },
  {
    name: 'fault',
    words: 'FS UNIT',
    group: 'file-systems',
    offers: ({ fileSystems }) =>
      fileSystems.flatMap(({ name, device, entries }) =>
        device === null
          ? []
          : edgeUnits(device.dax.size)
              .filter((unit) => !entries.has(unit))
              .map((unit) => [name, String(unit)]),
      ),
    apply: fault,
  },
  {
    name: 'unfault',
    words: 'FS UNIT',
    group: 'file-systems',
    offers: ({ fileSystems }) =>
      fileSystems.flatMap(({ name, entries }) => [...entries.keys()].map((unit) => [name, String(unit)])),
    apply: (world, [name, unit]) => world.fileSystem(name!).unfault(Number(unit)),
  },
  {
    name: 'zero',
    words: 'FS UNIT',
    group: 'file-systems',
    offers: ({ fileSystems }) =>
      fileSystems.flatMap(({ name, device }) =>
        device === null ? [] : [['0'], [String(device.dax.size / PMD_SIZE)]].map((unit) => [name, ...unit]),
      ),
    apply: zero,
  },
];

/** First and last unit. The `zero` event tries a unit beyond the end. */
function edgeUnits(sizeBytes: number): number[] {
  return [...new Set([0, Math.max(0, sizeBytes / PMD_SIZE - 1)])];
}

function fault(world: World, [name, text]: readonly string[]): void {
  const fileSystem = world.fileSystem(name!);
  const unit = Number(text);
  const found = fileSystem.fault(unit);
  const { device } = fileSystem;
  if (device !== null) checkTranslation(world, device, unit * PMD_PAGES, found);
}

function checkTranslation(world: World, { name, ranges }: DevDax, pgoff: number, found: DirectAccess): void {
  const right = pageAt(ranges, pgoff);
  const answer = `${name}: page ${pgoff} is translated to pfn ${found.pfn}, address 0x${found.hpa.toString(16)}`;
  if (right === null) world.violated('I10', `${answer}: it is beyond the end`);
  else if (found.pfn !== right.pfn || found.hpa !== right.pfn * PAGE_SIZE)
    world.violated('I10', `${answer}: it is at pfn ${right.pfn}`);
  else if (found.pages > right.left)
    world.violated('I10', `${answer}, ${found.pages} pages: its range has ${right.left}`);
}

/** Zeroes a unit. A unit that is not on the device must be refused. */
function zero(world: World, [name, text]: readonly string[]): void {
  const fileSystem = world.fileSystem(name!);
  const pgoff = Number(text) * PMD_PAGES;
  fileSystem.zero(pgoff);
  const { device } = fileSystem;
  if (device !== null && pageAt(device.ranges, pgoff) === null)
    world.violated('I10', `${device.name}: page ${pgoff} is beyond the end, and was zeroed`);
}
