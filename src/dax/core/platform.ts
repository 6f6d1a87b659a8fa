import type { PhysicalMemory } from '../../memory/index.js';
import type { MemoryBlocks, PageTable, Resource, ResourceTree } from '../../mm/index.js';

/** Memory that was online when kmem was unbound: its resource and blocks stay, until its region is destroyed. */
export interface StrandedMemory {
  device: string;
  start: number;
  /** Inclusive. */
  end: number;
  node: number;
  resource: Resource;
}

/** A fault that a quirk caused, where the kernel would have an Oops or a WARN. explore reports it as a violation. */
export interface Incident {
  /** The flag of the quirk. */
  quirk: string;
  /** The invariant it breaks: I1 ... I12. */
  invariant: string;
  text: string;
}

/** The machine below the bus, as devices and drivers use it. One per Bus. */
export interface Platform {
  readonly memory: PhysicalMemory | null;
  readonly pages: PageTable;
  readonly resources: ResourceTree;
  readonly memoryBlocks: MemoryBlocks;
  readonly quirks: ReadonlySet<string>;
  readonly stranded: StrandedMemory[];
  /** The global memmap_on_memory switch. */
  readonly memmapOnMemoryAllowed: boolean;
  /** Failure injection: the n-th acquisition (from 0) of the next probe fails with ENOMEM. null: none. That probe resets it. */
  failProbeAtStep: number | null;
  /** Adds a kernel log line; levels as in syslog (3 error, 4 warning, 6 info). */
  log(level: 3 | 4 | 6, text: string): void;
  report(incident: Incident): void;
}
