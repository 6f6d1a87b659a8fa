import { fail } from '../libc/index.js';
import type { PhysicalMemory } from '../memory/index.js';
import { MemoryNode } from './memory-node.js';

/** Stores to auto_online_blocks and memoryN/state. */
export type OnlinePolicy = 'offline' | 'online' | 'online_kernel' | 'online_movable';
export const ONLINE_POLICIES: readonly OnlinePolicy[] = [
  'offline',
  'online',
  'online_kernel',
  'online_movable',
];
export const DEFAULT_MEMORY_BLOCK_BYTES = 128 * 1024 * 1024;

export type Zone = 'Normal' | 'Movable';

/** memoryN: one block of hot-added memory. */
export class MemoryBlock {
  #zone: Zone | null = null;

  constructor(
    /** N of memoryN: hpa / block size. */
    readonly id: number,
    /** hpa, bytes. */
    readonly start: number,
    readonly length: number,
    readonly node: MemoryNode,
    /** Device whose memory it is. */
    readonly device: string,
  ) {}

  get state(): 'offline' | 'online' {
    return this.#zone === null ? 'offline' : 'online';
  }

  /** Zone it is online in. */
  get zone(): Zone | null {
    return this.#zone;
  }

  /** Text of valid_zones: the zone, or those it could go to. */
  get validZones(): string {
    return this.#zone ?? 'Normal Movable';
  }

  /** What setState() would need to bring it here (restore). */
  get policy(): OnlinePolicy {
    return this.#zone === null ? 'offline' : this.#zone === 'Movable' ? 'online_movable' : 'online';
  }

  get removable(): boolean {
    return true;
  }

  /** Bytes that alloc() gave out of it. */
  get usedBytes(): number {
    return this.node.usedBytesIn(this.start, this.length);
  }

  /** Gives its pages to the node's allocator. */
  online(zone: Zone): void {
    this.node.addPages(this.start, this.length);
    this.#zone = zone;
  }

  /** Takes its pages back. EBUSY while some are given out. */
  offline(): void {
    if (this.usedBytes > 0)
      fail('EBUSY', `memory${this.id} has ${this.usedBytes} bytes in use: free them, then offline it`);
    this.node.removePages(this.start, this.length);
    this.#zone = null;
  }
}

export interface MemoryBlocksOptions {
  /** Default 128 MiB. */
  blockBytes?: number;
  /** auto_online_blocks, default 'online'. */
  autoOnline?: OnlinePolicy;
  memory?: PhysicalMemory | null;
}

/** Every hot-added memory block of a machine, and the nodes they make. */
export class MemoryBlocks {
  readonly blockBytes: number;
  /** auto_online_blocks: what happens to blocks that are added. */
  autoOnline: OnlinePolicy;
  readonly #blocks = new Map<number, MemoryBlock>();
  readonly #nodes = new Map<number, MemoryNode>();
  readonly #memory: PhysicalMemory | null;

  constructor(options: MemoryBlocksOptions = {}) {
    this.blockBytes = options.blockBytes ?? DEFAULT_MEMORY_BLOCK_BYTES;
    this.autoOnline = options.autoOnline ?? 'online';
    this.#memory = options.memory ?? null;
  }

  /** By address. */
  get list(): readonly MemoryBlock[] {
    return [...this.#blocks.values()].sort((a, b) => a.id - b.id);
  }

  block(id: number): MemoryBlock | undefined {
    return this.#blocks.get(id);
  }

  /** Undefined when no block makes up that node. */
  node(id: number): MemoryNode | undefined {
    const node = this.#nodes.get(id);
    return node !== undefined && node.blockCount > 0 ? node : undefined;
  }

  nodes(): MemoryNode[] {
    return [...this.#nodes.values()].filter((node) => node.blockCount > 0).sort((a, b) => a.id - b.id);
  }

  blocksOf(node: number): MemoryBlock[] {
    return this.list.filter((block) => block.node.id === node);
  }

  /** Whole blocks inside [start, start + length): what kmem can add of a range. */
  trim(start: number, length: number): { start: number; length: number } {
    const first = Math.ceil(start / this.blockBytes) * this.blockBytes;
    const end = Math.floor((start + length) / this.blockBytes) * this.blockBytes;
    return { start: first, length: Math.max(0, end - first) };
  }

  /** Hot-adds whole blocks to a node and onlines them by policy. EEXIST when one is there, EINVAL when not whole. */
  add(start: number, length: number, node: number, device: string, policy = this.autoOnline): void {
    const ids = this.#idsOf(start, length);
    for (const id of ids) if (this.#blocks.has(id)) fail('EEXIST', `memory${id} is there already`);
    let owner = this.#nodes.get(node);
    if (owner === undefined) {
      owner = new MemoryNode(node, this.#memory);
      this.#nodes.set(node, owner);
    }
    for (const id of ids) {
      const block = new MemoryBlock(id, id * this.blockBytes, this.blockBytes, owner, device);
      this.#blocks.set(id, block);
      owner.blockCount++;
      if (policy !== 'offline') block.online(zoneOf(policy));
    }
  }

  /** Removes the blocks of a range; none is removed when one is online (EBUSY names it). */
  remove(start: number, length: number): void {
    const blocks = this.#idsOf(start, length).flatMap((id) => this.#blocks.get(id) ?? []);
    const online = blocks.find((block) => block.state === 'online');
    if (online !== undefined)
      fail('EBUSY', `memory${online.id} is online: offline it before its device is unbound`);
    for (const block of blocks) {
      this.#blocks.delete(block.id);
      block.node.blockCount--;
    }
  }

  /** Offlines what is online of a range. EBUSY when pages are in use. */
  offlineAll(start: number, length: number): void {
    for (const id of this.#idsOf(start, length)) {
      const block = this.#blocks.get(id);
      if (block?.state === 'online') block.offline();
    }
  }

  /** First block of the range that is online. */
  firstOnline(start: number, length: number): MemoryBlock | undefined {
    for (const id of this.#idsOf(start, length)) {
      const block = this.#blocks.get(id);
      if (block?.state === 'online') return block;
    }
    return undefined;
  }

  /**
   * A store to memoryN/state.
   * @throws ENOENT no such block; EINVAL it is in that state already; EBUSY pages in use (offline)
   */
  setState(id: number, state: OnlinePolicy): void {
    const block = this.#blocks.get(id);
    if (block === undefined) fail('ENOENT', `there is no memory${id}`);
    if ((state === 'offline') === (block.state === 'offline'))
      fail('EINVAL', `memory${id} is ${block.state} already`);
    if (state === 'offline') block.offline();
    else block.online(zoneOf(state));
  }

  #idsOf(start: number, length: number): number[] {
    if (start % this.blockBytes !== 0 || length % this.blockBytes !== 0)
      fail('EINVAL', `${start}+${length} is not whole memory blocks of ${this.blockBytes} bytes`);
    const first = start / this.blockBytes;
    return Array.from({ length: length / this.blockBytes }, (_, at) => first + at);
  }
}

function zoneOf(policy: OnlinePolicy): Zone {
  return policy === 'online_movable' ? 'Movable' : 'Normal';
}
