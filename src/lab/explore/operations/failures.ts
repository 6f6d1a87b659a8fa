import type { DevDax } from '../../../dax/index.js';
import { fail } from '../../../libc/index.js';
import { PAGE_SIZE, PMD_PAGES } from '../../../mm/index.js';
import type { FileSystem, ToldFailure } from '../actors/file-system.js';
import { type Operation, pairs } from '../operation.js';
import { pageAt } from '../oracle.js';
import type { World } from '../world.js';

/** Memory fails; memory blocks go on- and offline. */
export const failureOperations: readonly Operation[] = [
  {
    name: 'memory_failure',
    words: 'DEVICE UNIT',
    group: 'memory-failure',
    offers: ({ bus }) =>
      bus
        .devices()
        .filter(({ driver }) => driver !== null && driver !== 'kmem')
        .flatMap((device) =>
          pairs(
            [device.name],
            edgeUnits(device)
              .filter((unit) => !bus.pages.isPoisoned(failingPage(device, unit)))
              .map(String),
          ),
        ),
    apply: memoryFailure,
  },
  {
    name: 'block',
    words: 'N online|offline',
    group: 'memory-blocks',
    offers: ({ bus }) =>
      bus.memoryBlocks.list.map(({ id, state }) => [String(id), state === 'online' ? 'offline' : 'online']),
    apply: ({ bus }, [id, state]) =>
      bus.memoryBlocks.setState(Number(id), state === 'online' ? 'online' : 'offline'),
  },
];

/** The second page of the unit, so that an offset counted from the unit's start would be noticed. */
function failingPage(device: DevDax, unit: number): number {
  const page = pageAt(device.ranges, unit * PMD_PAGES + 1);
  return page === null ? fail('ENXIO', `${device.name} has no unit ${unit}`) : page.pfn;
}

function edgeUnits(device: DevDax): number[] {
  const last = Math.floor(device.size / (PMD_PAGES * PAGE_SIZE)) - 1;
  return last < 0 ? [] : [...new Set([0, last])];
}

/** Lets a page fail. The holder of the device must be told once, with the page's own offset. */
function memoryFailure(world: World, [name, text]: readonly string[]): void {
  const device = world.device(name!);
  const unit = Number(text);
  const pfn = failingPage(device, unit);
  world.bus.memoryFailure(pfn * PAGE_SIZE, PAGE_SIZE);
  const offset = (unit * PMD_PAGES + 1) * PAGE_SIZE;
  for (const fileSystem of world.fileSystems) {
    const wanted = mustHear(device, fileSystem, pfn) ? [{ offset, length: PAGE_SIZE }] : [];
    if (!sameFailures(fileSystem.takeTold(), wanted))
      world.violated(
        'I10',
        `${fileSystem.name} was not told of the failure at byte ${offset} of ${name} alone`,
      );
  }
}

/**
 * Whether a file system must be told: it holds the device and is not giving it back, and the device is not dying. A range that was added while the driver
 * was bound does not belong to the driver.
 */
function mustHear(device: DevDax, fileSystem: FileSystem, pfn: number): boolean {
  const hpa = pfn * PAGE_SIZE;
  if (device.dax.holder !== fileSystem || fileSystem.leaving !== null || !device.dax.alive) return false;
  return device.binding?.ranges.some(({ start, end }) => hpa >= start && hpa <= end) ?? false;
}

function sameFailures(told: readonly ToldFailure[], wanted: readonly ToldFailure[]): boolean {
  return (
    told.length === wanted.length &&
    told.every(({ offset, length }, at) => offset === wanted[at]!.offset && length === wanted[at]!.length)
  );
}
