import type { Bus } from '../../dax/index.js';
import { checkMethods, fail, number } from '../../libc/index.js';
import type { MemoryNode, NodeStats } from '../../mm/index.js';
import type { OwnHolder } from '../holders.js';
import type { MemoryNodeHandle, NodeBuffer } from '../types.js';
import { nodeHolderName } from './held-changes.js';
import type { SharedBus } from './shared-bus.js';

/**
 * Keeps a node's allocator, and so its hold, alive while the memory of a buffer is referenced, even when nothing else of the
 * buffer is.
 */
const keptBy = new WeakMap<ArrayBufferLike, NodeMemory>();

/**
 * The allocator of a memory node in this process. Only this process knows which memory is free, so one process at a time
 * allocates from a node: from its first live buffer to its last it holds `nodeN` exclusively.
 */
export class NodeMemory implements MemoryNodeHandle {
  /** The functions that free the live buffers. The buffers themselves are not referenced here, so that they can be collected. */
  readonly #live = new Set<() => void>();
  #holder: OwnHolder | undefined;
  readonly #shared: SharedBus;

  constructor(
    readonly id: number,
    shared: SharedBus,
  ) {
    this.#shared = shared;
  }

  alloc(bytes: number): NodeBuffer {
    this.#holder ??= this.#shared.hold(nodeHolderName(this.id), 'memory allocator', true, (bus) => {
      nodeOf(bus, this.id);
    });
    try {
      const ended = (): void => {
        this.#live.delete(free);
        this.#letGoWhenUnused();
      };
      const { buffer, free } = this.#node().alloc(bytes, ended);
      this.#live.add(free);
      keptBy.set(buffer.buffer, this);
      return { bytes: buffer, free, [Symbol.dispose]: free };
    } finally {
      this.#letGoWhenUnused();
    }
  }

  stats(): NodeStats {
    return this.#node().stats();
  }

  close(): void {
    for (const free of [...this.#live]) free();
  }

  #letGoWhenUnused(): void {
    if (this.#live.size > 0 || !this.#holder) return;
    this.#shared.holders.remove(this.#holder);
    this.#holder = undefined;
  }

  #node(): MemoryNode {
    return nodeOf(this.#shared.current, this.id);
  }
}

/** @throws DaxError ENODEV */
function nodeOf(bus: Bus, id: number): MemoryNode {
  return (
    bus.node(id) ?? fail('ENODEV', `node ${id} has no memory: reconfigure a device of it to system-ram first`)
  );
}

checkMethods(NodeMemory, { alloc: { bytes: number } });
