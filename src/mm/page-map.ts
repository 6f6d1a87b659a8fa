/** Page maps (struct dev_pagemap): a driver's probe makes one of its physical ranges. It tells the type and owner of the pages. */

/** device_dax: pages that only the device maps. */
export const MEMORY_DEVICE_GENERIC = 'MEMORY_DEVICE_GENERIC';
/** fsdev_dax: pages that files map. */
export const MEMORY_DEVICE_FS_DAX = 'MEMORY_DEVICE_FS_DAX';
export type MemoryDeviceType = typeof MEMORY_DEVICE_GENERIC | typeof MEMORY_DEVICE_FS_DAX;

export interface PageMapRange {
  /** hpa, bytes. */
  readonly start: number;
  /** hpa of the last byte. */
  readonly end: number;
}

export interface PageMapOperations {
  /** Device offset in bytes of a pfn of this map. @throws DaxError EFAULT the page is outside */
  failureOffset(pfn: number): number;
  /** Reports a memory failure to the owner of the pages. @throws DaxError EOPNOTSUPP nobody handles it */
  memoryFailure(pfn: number, pages: number, flags: number): void;
}

/** struct dev_pagemap. A static region keeps one for good; a dynamic device gets a new one at each probe. */
export class DevPagemap {
  type: MemoryDeviceType | null = null;
  ops: PageMapOperations | null = null;
  owner: object | null = null;
  /** The order of the folios that the pages form at probe. */
  vmemmapShift = 0;

  constructor(readonly ranges: readonly PageMapRange[]) {}

  get start(): number {
    return this.ranges[0]?.start ?? 0;
  }

  contains(hpa: number): boolean {
    return this.ranges.some((range) => hpa >= range.start && hpa <= range.end);
  }
}
