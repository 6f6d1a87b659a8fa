/**
 * What must hold in every state: the bus's own invariants, and those that only the world around it can check. Also the right
 * answers, computed in the simplest way from what a device shows of itself (mappingN).
 */

import { checkInvariants, type DaxRange, type ForeignPin } from '../../dax/index.js';
import { PAGE_SIZE, type Violation } from '../../mm/index.js';
import type { World } from './world.js';

/** Returns the violations in this state; empty when there are none. */
export function checkWorld(world: World): Violation[] {
  const wrong = checkInvariants(world.bus, pinsOf(world));
  for (const device of world.bus.devices()) {
    const mounts = world.fileSystems.filter((one) => one.device === device || one.leaving === device);
    if (device.dax.references !== mounts.length)
      wrong.push({
        invariant: 'I3',
        text: `${device.name} has ${device.dax.references} references, ${mounts.length} file systems have it`,
      });
    const { holder } = device.dax;
    if (holder !== null && !mounts.some((mount) => mount === holder))
      wrong.push({ invariant: 'I3', text: `${device.name} is held by one that has not mounted it` });
  }
  return wrong;
}

/** The pages that file mappings pin: I5 counts them. */
function pinsOf(world: World): ForeignPin[] {
  return world.fileSystems.flatMap(({ entries }) => [...entries.values()]);
}

/** Where page `pgoff` of a device is, and how many pages from there on lie in the same range. Null beyond the end. */
export function pageAt(ranges: readonly DaxRange[], pgoff: number): { pfn: number; left: number } | null {
  let before = 0;
  for (const { start, end } of ranges) {
    const pages = (end + 1 - start) / PAGE_SIZE;
    if (pgoff < before + pages)
      return { pfn: start / PAGE_SIZE + pgoff - before, left: before + pages - pgoff };
    before += pages;
  }
  return null;
}
