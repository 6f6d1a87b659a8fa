import path from 'node:path';
import type { Bus } from '../../dax/index.js';
import { fail, parseSize, sizeText } from '../../libc/index.js';
import { memoryIdentity } from '../../memory/index.js';
import { PAGE_SIZE, PMD_SIZE, PUD_SIZE } from '../../mm/index.js';
import type { CreateRegionOptions } from '../types.js';
import { placeIn, refuseMemoryInUse } from '../use-lock.js';
import { refuseOtherMachinesModes } from './other-machine.js';
import { highestHostNode, placeRegion } from './placement.js';
import { makeOwnBacking, makeRamBacking, type RegionBacking, takeUserBacking } from './region-backing.js';
import type { SharedBus } from './shared-bus.js';

/** CreateRegionOptions, complete and checked. */
interface RegionPlan {
  size: number;
  align: number;
  offset: number;
  type: 'device' | 'kmem';
  isStatic: boolean;
  sparse: boolean;
  coherent: boolean;
  backing: string | undefined;
  ram: boolean;
  targetNode: number | undefined;
}

/** @throws DaxError EINVAL naming the option */
function planOf(options: CreateRegionOptions): RegionPlan {
  const size = parseSize(options.size, 'region size');
  const align = parseSize(options.align ?? PMD_SIZE, 'align');
  const offset = parseSize(options.offset ?? 0, 'backing offset');
  const {
    type = 'device',
    static: isStatic = false,
    sparse = false,
    coherent = true,
    backing,
    ram = false,
    targetNode,
  } = options;
  if (![PAGE_SIZE, PMD_SIZE, PUD_SIZE].includes(align)) {
    fail('EINVAL', `align ${sizeText(align)} is not possible: 4096, 2M or 1G`);
  }
  const unit = Math.max(align, PMD_SIZE);
  if (size === 0 || size % unit !== 0) {
    fail('EINVAL', `region size ${sizeText(size)} must be a multiple of ${sizeText(unit)}, and not 0`);
  }
  if (offset % PAGE_SIZE !== 0) fail('EINVAL', `backing offset ${offset} must be a multiple of ${PAGE_SIZE}`);
  if (backing === undefined && offset !== 0)
    fail('EINVAL', 'a backing offset needs a backing: name the file or device');
  if (backing === undefined && !coherent)
    fail('EINVAL', 'memory that is not coherent is memory other hosts share: name it as the backing');
  if (ram && (backing !== undefined || sparse))
    fail('EINVAL', 'memory in RAM is made by the machine, all of it: leave out backing and sparse');
  if (type !== 'device' && type !== 'kmem')
    fail('EINVAL', `region type ${String(type)} is unknown: device or kmem`);
  if (targetNode !== undefined && (!Number.isSafeInteger(targetNode) || targetNode < -1)) {
    fail('EINVAL', `target node ${targetNode} is not a node number (-1: none)`);
  }
  return { size, align, offset, type, isStatic, sparse, coherent, backing, ram, targetNode };
}

/** Makes a region inside a change. @returns its id @throws DaxError EINVAL, EBUSY, ENOSPC, ENOENT, EACCES */
export function createRegion(shared: SharedBus, bus: Bus, options: CreateRegionOptions): number {
  const plan = planOf(options);
  const id = lowestFreeId(bus);
  const start = placeRegion(plan.size, takenSpans(bus));
  const backing = backingFor(shared, bus, id, plan);
  try {
    shared.placeMemory(id, start, plan.size, backing);
  } catch (error) {
    backing.close();
    throw error;
  }
  bus.addRegion({
    id,
    type: plan.type,
    static: plan.isStatic,
    start,
    size: plan.size,
    align: plan.align,
    targetNode: plan.targetNode ?? highestHostNode() + 1 + id,
  });
  return id;
}

function lowestFreeId(bus: Bus): number {
  let id = 0;
  while (bus.region(id)) id++;
  return id;
}

/** The addresses of regions, and of memory that kmem left behind when its region was removed. */
function takenSpans(bus: Bus): { start: number; length: number }[] {
  return [
    ...bus.regions.map(({ start, size }) => ({ start, length: size })),
    ...bus.resources.roots.map(({ start, end }) => ({ start, length: end - start + 1 })),
  ];
}

function backingFor(shared: SharedBus, bus: Bus, id: number, plan: RegionPlan): RegionBacking {
  const { memoryMode: mode } = shared.directory;
  if (plan.ram) return makeRamBacking(shared.root, plan.size, mode);
  if (plan.backing === undefined) {
    return makeOwnBacking(shared.root, id, { size: plan.size, sparse: plan.sparse, mode });
  }
  refuseSharedBytes(shared, bus, plan.backing, plan.offset, plan.size);
  const bytes = { start: plan.offset, length: plan.size };
  refuseOtherMachinesModes(path.resolve(plan.backing), bytes, ['kmem'], shared.root);
  const backing = takeUserBacking(plan.backing, plan.offset, plan.size, plan);
  try {
    // Other machines and hosts may share the memory, but not while one of them has it exclusively.
    refuseMemoryInUse(placeIn(backing, [bytes]), 'shared', shared.patience);
    return backing;
  } catch (error) {
    backing.close();
    throw error;
  }
}

/**
 * Refuses a second region over the same bytes: it would be one memory at two addresses.
 * @throws DaxError EBUSY naming the region
 */
function refuseSharedBytes(shared: SharedBus, bus: Bus, file: string, offset: number, length: number): void {
  const identity = memoryIdentity(file);
  if (identity === undefined) return;
  for (const region of bus.regions) {
    const backing = shared.backingOf(region.id);
    const { record } = backing;
    const overlaps = offset < record.offset + region.size && record.offset < offset + length;
    if (overlaps && memoryIdentity(backing.path) === identity) {
      fail('EBUSY', `${file} already backs region ${region.id} there: choose another offset or file`, {
        path: file,
      });
    }
  }
}
