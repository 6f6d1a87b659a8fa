import type { PhysicalMemory } from '../../memory/index.js';
import type { OnlinePolicy } from '../../mm/index.js';

export interface BusOptions {
  /** None (explore, unit tests): translations work, loads answer 0, stores go nowhere. */
  memory?: PhysicalMemory;
  /** Flags of quirks.ts, or names of sets of them (linux-7.2). */
  quirks?: Iterable<string>;
  /** Default 128 MiB. */
  memoryBlockBytes?: number;
  /** auto_online_blocks, default 'online'. */
  autoOnline?: OnlinePolicy;
  /** The global memmap_on_memory switch, default off. */
  memmapOnMemory?: boolean;
}
