import type { Platform } from '../core/platform.js';
import type { Binding, DevDax } from '../regions/dev-dax.js';

/** A lost unit of a mapping: what a SIGBUS BUS_MCEERR_* would tell its process. */
export interface FailedUnit<V> {
  vma: V;
  /** Start of the unit, bytes from the start of the mapping. */
  offset: number;
  /** log2 of the unit: 21 for 2 MiB. */
  lsb: number;
}

/** What open files need of the bus. */
export interface FileHost<V> {
  readonly platform: Platform;
  /** Live mappings, oldest first. */
  readonly vmas: Set<V>;
  /** The file, and every mapping of it, is gone: its module reference is dropped. */
  fileReleased(file: object): void;
  hardOffline(hpa: number, flags: number): { mappers: FailedUnit<V>[] };
  softOffline(hpa: number): void;
}

/** What a mapping needs of the file it maps. OpenFile implements it. */
export interface MappedFile<V> {
  readonly host: FileHost<V>;
  readonly device: DevDax;
  readonly binding: Binding | null;
  /** The device is driven as when the file was opened. */
  readonly live: boolean;
  /** Ranges its pages are looked up in. */
  readonly ranges: DevDax['ranges'];
  readonly writable: boolean;
  readonly process: string;
  /** The mapping ended. */
  unmapped(mapping: V): void;
  /** A forked child's copy keeps the file, too. */
  adopt(mapping: V): void;
}

/** Physical address of a device page's unit: null in a hole, beyond the end, or when the unit is not all in one range. */
export function unitAddress(ranges: DevDax['ranges'], pgoff: number, unitBytes: number): number | null {
  for (const range of ranges) {
    const bytes = range.end - range.start + 1;
    const offset = (pgoff - range.pageOffset) * 4096;
    if (offset < 0 || offset >= bytes) continue;
    const start = range.start + offset;
    return offset + unitBytes <= bytes && start % unitBytes === 0 ? start : null;
  }
  return null;
}
