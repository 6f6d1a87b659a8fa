import type { Platform } from '../core/platform.js';
import type { Binding, DevDax } from '../regions/dev-dax.js';

/** A lost unit of a mapping, with the facts of the SIGBUS BUS_MCEERR_* that its process would get. */
export interface FailedUnit<V> {
  vma: V;
  /** Start of the unit, bytes from the start of the mapping. */
  offset: number;
  /** log2 of the unit: 21 for 2 MiB. */
  lsb: number;
}

/** The parts of the bus that open files need. */
export interface FileHost<V> {
  readonly platform: Platform;
  /** Live mappings, oldest first. */
  readonly vmas: Set<V>;
  /** Called when the file and every mapping of it are gone. Drops the module references. */
  fileReleased(file: object): void;
  hardOffline(hpa: number, flags: number): { mappers: FailedUnit<V>[] };
  softOffline(hpa: number): void;
}

/** The parts of a file that its mappings need. OpenFile implements it. */
export interface MappedFile<V> {
  readonly host: FileHost<V>;
  readonly device: DevDax;
  readonly binding: Binding | null;
  /** True while the device has the binding under which the file was opened. */
  readonly live: boolean;
  /** The ranges in which faults look up pages. */
  readonly ranges: DevDax['ranges'];
  readonly writable: boolean;
  readonly process: string;
  /** Called when a mapping of the file ended. */
  unmapped(mapping: V): void;
  /** Adds a forked child's mapping: it keeps the file, too. */
  adopt(mapping: V): void;
}

/**
 * The physical address of the unit at a device page. Null in a hole, beyond the end, when the unit is not all in one range, or
 * when its address is not a multiple of its size.
 */
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
