import type { MemoryBlocks, PageTable } from '../../mm/index.js';
import type { Platform, StrandedMemory } from '../core/platform.js';
import type { Region, RegionHost } from '../regions/region.js';
import type { Binder } from './binder.js';
import type { DeviceList } from './device-list.js';
import type { Minors } from './minors.js';
import type { Modules } from './modules.js';
import type { Uevents } from './uevents.js';

/** The inside of a bus, for code that rebuilds one from a stored state or undoes what it did. */
export interface BusParts {
  readonly platform: Platform;
  readonly pages: PageTable;
  readonly memoryBlocks: MemoryBlocks;
  readonly host: RegionHost;
  readonly modules: Modules;
  /** The live list, in the order they were added. */
  readonly regions: Region[];
  readonly devices: DeviceList;
  readonly binder: Binder;
  readonly uevents: Uevents;
  readonly minors: Minors;
  readonly autoprobe: { on: boolean };
  removeRegion(region: Region): void;
  forgetStranded(memory: StrandedMemory): void;
}
