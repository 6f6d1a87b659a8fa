/** The options and the parts of a bus. */
import type { PhysicalMemory } from '../../memory/index.js';
import type { MemoryBlocks, OnlinePolicy, PageTable } from '../../mm/index.js';
import type { Platform, StrandedMemory } from '../core/platform.js';
import type { Region, RegionHost } from '../regions/region.js';
import type { Binder } from './binder.js';
import type { DeviceList } from './device-list.js';
import type { Minors } from './file-table.js';
import type { Uevents } from './journal.js';
import type { Modules } from './modules.js';

export interface BusOptions {
  /** Without it (explore, unit tests) translations work, loads answer 0, and stores are lost. */
  memory?: PhysicalMemory;
  /** Flags of quirks.ts, or names of sets of flags (linux-7.2). */
  quirks?: Iterable<string>;
  /** Default 128 MiB. */
  memoryBlockBytes?: number;
  /** auto_online_blocks, default 'online'. */
  autoOnline?: OnlinePolicy;
  /** The global memmap_on_memory switch, default off. */
  memmapOnMemory?: boolean;
}

/** The internals of a bus, for code that restores a stored state or undoes a change. */
export interface BusParts {
  readonly platform: Platform;
  readonly pages: PageTable;
  readonly memoryBlocks: MemoryBlocks;
  readonly host: RegionHost;
  readonly modules: Modules;
  /** The list itself, not a copy, in the order they were added. */
  readonly regions: Region[];
  readonly devices: DeviceList;
  readonly binder: Binder;
  readonly uevents: Uevents;
  readonly minors: Minors;
  readonly autoprobe: { on: boolean };
  removeRegion(region: Region): void;
  forgetStranded(memory: StrandedMemory): void;
}
