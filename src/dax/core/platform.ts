import type { PhysicalMemory } from '../../memory/index.js';
import type { MemoryBlocks, PageTable, Resource, ResourceTree } from '../../mm/index.js';

/** Memory that kmem could not take offline at unbind: its resource and blocks stay for good. */
export interface StrandedMemory {
  device: string;
  start: number;
  /** Inclusive. */
  end: number;
  node: number;
  resource: Resource;
}

/** What a quirk made go wrong that the kernel would answer with an Oops or a WARN: explore takes it as a violation. */
export interface Incident {
  /** The flag that let it happen. */
  quirk: string;
  /** The invariant it breaks: I1 ... I12. */
  invariant: string;
  text: string;
}

/** The machine below the bus: what devices and drivers stand on. One per Bus, immutable references. */
export interface Platform {
  readonly memory: PhysicalMemory | null;
  readonly pages: PageTable;
  readonly resources: ResourceTree;
  readonly memoryBlocks: MemoryBlocks;
  readonly quirks: ReadonlySet<string>;
  readonly stranded: StrandedMemory[];
  /** The global memmap_on_memory switch. */
  readonly memmapOnMemoryAllowed: boolean;
  /** Injected failure: the n-th acquisition (from 0) of the next probe fails with ENOMEM. null: none. Used up by that probe. */
  failProbeAtStep: number | null;
  /** A kernel log line; levels as in syslog (3 error, 4 warning, 6 info). */
  log(level: 3 | 4 | 6, text: string): void;
  report(incident: Incident): void;
}
