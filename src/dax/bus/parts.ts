import type { MemoryBlocks, PageTable } from '../../mm/index.js';
import type { Platform, StrandedMemory } from '../core/platform.js';
import type { DaxDriver } from '../drivers/driver.js';
import type { DevDax } from '../regions/dev-dax.js';
import type { Region, RegionHost } from '../regions/region.js';
import type { Minors } from './minors.js';
import type { Modules } from './modules.js';
import type { Uevents } from './uevents.js';

/** The inside of a bus, for code that rebuilds one from a stored state. */
export interface BusParts {
  readonly platform: Platform;
  readonly pages: PageTable;
  readonly memoryBlocks: MemoryBlocks;
  readonly host: RegionHost;
  readonly modules: Modules;
  /** The live list, in the order they were added. */
  readonly regions: Region[];
  readonly uevents: Uevents;
  readonly minors: Minors;
  autoprobe: boolean;
  devices(): readonly DevDax[];
  device(name: string): DevDax | undefined;
  removeRegion(region: Region): void;
  register(device: DevDax): void;
  unbind(device: DevDax): void;
  /** `matchedById`: default whether the driver has the id now. */
  probe(driver: DaxDriver, device: DevDax, matchedById?: boolean): void;
  forgetStranded(memory: StrandedMemory): void;
}
