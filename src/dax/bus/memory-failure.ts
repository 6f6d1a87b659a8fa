import { fail } from '../../libc/index.js';
import type { PhysicalMemory } from '../../memory/index.js';
import { type MemoryBlock, type MemoryBlocks, PAGE_SIZE, type PageTable } from '../../mm/index.js';
import type { FailedUnit } from '../files/file-host.js';
import type { Vma } from '../files/vma.js';
import type { DevDax } from '../regions/dev-dax.js';

export interface MemoryFailureResult {
  /** The device that the pages belong to. */
  device: string | null;
  /** A holder (file system) handled it. */
  notified: boolean;
  /** The units that mappings over the pages lost. */
  mappers: FailedUnit<Vma>[];
}

/** The parts of a bus that memory failure needs. */
export interface FailureScene {
  readonly memory: PhysicalMemory | null;
  readonly pages: PageTable;
  readonly memoryBlocks: MemoryBlocks;
  devices(): readonly DevDax[];
  readonly vmas: ReadonlySet<Vma>;
}

/** The bound device that a physical page belongs to. */
function ownerOf(scene: FailureScene, hpa: number): DevDax | undefined {
  return scene
    .devices()
    .find((device) => device.binding?.ranges.some(({ start, end }) => hpa >= start && hpa <= end));
}

function blockOf({ memoryBlocks }: FailureScene, hpa: number): MemoryBlock | undefined {
  return memoryBlocks.block(Math.floor(hpa / memoryBlocks.blockBytes));
}

function isSystemRam(scene: FailureScene, hpa: number): boolean {
  return blockOf(scene, hpa)?.state === 'online';
}

function mappersOf(scene: FailureScene, hpa: number): FailedUnit<Vma>[] {
  return [...scene.vmas].flatMap((vma) => vma.failedUnit(hpa) ?? []);
}

/**
 * hard_offline_page: kernel-dax.md 10. The page is poisoned only when it is system RAM or its holder handled the failure.
 * @throws DaxError EBUSY nobody recovers it; or the error of the holder
 */
export function hardOffline(scene: FailureScene, hpa: number, flags: number): MemoryFailureResult {
  const page = Math.floor(hpa / PAGE_SIZE) * PAGE_SIZE;
  const pfn = page / PAGE_SIZE;
  if (isSystemRam(scene, hpa)) return systemRam(scene, page, PAGE_SIZE);
  const device = ownerOf(scene, hpa);
  if (device?.binding === undefined || device.binding === null || device.driver === 'kmem')
    return fail('EBUSY', `page 0x${page.toString(16)} belongs to no driver: ignored`);
  const { pageMap } = device.binding;
  if (pageMap?.ops != null && device.dax.holder !== null) {
    pageMap.ops.memoryFailure(pfn, 1, flags);
    scene.pages.poison(pfn, 1);
    scene.memory?.kill(page, PAGE_SIZE);
    return { device: device.name, notified: true, mappers: [] };
  }
  const mappers = mappersOf(scene, hpa);
  if (mappers.length === 0)
    fail('EBUSY', `page 0x${page.toString(16)} of ${device.name} is mapped by nobody: recovery failed`);
  return { device: device.name, notified: false, mappers };
}

/**
 * soft_offline_page: only the content of ordinary memory can be moved to another page.
 * @throws DaxError EIO device memory or an offline block; ENXIO no driver
 */
export function softOffline(scene: FailureScene, hpa: number): void {
  if (isSystemRam(scene, hpa)) return;
  const block = blockOf(scene, hpa);
  if (block !== undefined) fail('EIO', `memory${block.id} is offline: its pages are not in use`);
  const device = ownerOf(scene, hpa);
  if (device === undefined || device.driver === 'kmem')
    fail('ENXIO', `page 0x${hpa.toString(16)} belongs to no driver`);
  fail('EIO', `page 0x${hpa.toString(16)} of ${device.name} cannot be moved: it is device memory`);
}

/**
 * Poisons whole pages, tells the holders of their devices, and detaches every mapping over them. Nobody can refuse it: memory
 * fails unasked. A range may cover several devices; the answer names the first.
 * @throws DaxError EINVAL no range
 */
export function memoryFailure(scene: FailureScene, hpa: number, length: number): MemoryFailureResult {
  if (!(length > 0) || !(hpa >= 0)) fail('EINVAL', `cannot fail ${length} bytes at ${hpa}`);
  const start = Math.floor(hpa / PAGE_SIZE) * PAGE_SIZE;
  const end = Math.ceil((hpa + length) / PAGE_SIZE) * PAGE_SIZE;
  scene.pages.poison(start / PAGE_SIZE, (end - start) / PAGE_SIZE);
  const mappers = [...scene.vmas].flatMap((vma) => unitsIn(vma, start, end));
  let notified = false;
  let first: string | null = null;
  for (const device of scene.devices()) {
    for (const range of device.binding?.ranges ?? []) {
      const from = Math.max(start, range.start);
      const to = Math.min(end, range.end + 1);
      if (from >= to) continue;
      first ??= device.name;
      const ops = device.binding?.pageMap?.ops;
      if (ops != null && device.dax.holder !== null) {
        notified =
          tell(device, () => ops.memoryFailure(from / PAGE_SIZE, (to - from) / PAGE_SIZE, 0)) || notified;
      }
    }
  }
  systemRam(scene, start, end - start);
  return { device: first, notified, mappers };
}

/** Tells a holder. Its failure is only logged: the memory has failed in any case. @returns true when the holder handled it */
function tell(device: DevDax, notify: () => void): boolean {
  try {
    notify();
    return true;
  } catch (error) {
    device.platform.log(3, `${device.name}: its holder did not take a memory failure: ${String(error)}`);
    return false;
  }
}

function unitsIn(vma: Vma, start: number, end: number): FailedUnit<Vma>[] {
  const units: FailedUnit<Vma>[] = [];
  const step = vma.unitBytes;
  for (let at = Math.floor(start / step) * step; at < end; at += step) {
    const unit = vma.failedUnit(Math.max(at, start));
    if (unit !== null) units.push(unit);
  }
  return units;
}

/** Fails pages as ordinary memory: mappings over them are killed, and the allocators never give them out again. */
function systemRam(scene: FailureScene, start: number, length: number): MemoryFailureResult {
  scene.pages.poison(start / PAGE_SIZE, length / PAGE_SIZE);
  scene.memory?.kill(start, length);
  for (const node of scene.memoryBlocks.nodes()) node.retire(start, length);
  return { device: null, notified: false, mappers: [] };
}
