import type { Bus } from '../dax/index.js';
import { fail } from '../libc/index.js';
import type { MemoryNode, NodeAllocation, NodeStats } from '../mm/index.js';
import { nodeHolderName } from './held-changes.js';
import type { OwnHolder } from './holders.js';
import type { SharedBus } from './shared-bus.js';
import type { MemoryNodeHandle, NodeBuffer } from './types.js';

/** Memory in use keeps its node held, also when only the bytes are left of it. */
const keptBy = new WeakMap<ArrayBufferLike, NodeMemory>();

/**
 * The allocator of a memory node in this process. What is free is known only here, so one process at a
 * time allocates from a node: from its first live buffer to its last it holds `nodeN` alone.
 */
export class NodeMemory implements MemoryNodeHandle {
  private readonly live = new Set<NodeAllocation>();
  private holder: OwnHolder | undefined;

  constructor(
    readonly id: number,
    private readonly shared: SharedBus,
  ) {}

  alloc(bytes: number): NodeBuffer {
    this.holder ??= this.shared.hold(nodeHolderName(this.id), 'memory allocator', true, (bus) => {
      nodeOf(bus, this.id);
    });
    try {
      const allocation = this.node().alloc(bytes);
      this.live.add(allocation);
      keptBy.set(allocation.buffer.buffer, this);
      const free = (): void => this.free(allocation);
      return { bytes: allocation.buffer, free, [Symbol.dispose]: free };
    } finally {
      this.letGoWhenUnused();
    }
  }

  stats(): NodeStats {
    return this.node().stats();
  }

  close(): void {
    for (const allocation of [...this.live]) this.free(allocation);
  }

  private free(allocation: NodeAllocation): void {
    if (!this.live.delete(allocation)) return;
    allocation.free();
    this.letGoWhenUnused();
  }

  private letGoWhenUnused(): void {
    if (this.live.size > 0 || !this.holder) return;
    this.shared.holders.remove(this.holder);
    this.holder = undefined;
  }

  private node(): MemoryNode {
    return nodeOf(this.shared.current, this.id);
  }
}

/** @throws ENODEV */
function nodeOf(bus: Bus, id: number): MemoryNode {
  return (
    bus.node(id) ?? fail('ENODEV', `node ${id} has no memory: reconfigure a device of it to system-ram first`)
  );
}
