import { fail } from '../libc/index.js';
import type { PhysicalMemory } from '../memory/index.js';
import { MemoryNode } from './memory-node.js';
import { MemoryRange, type Zone } from './memory-range.js';

/** Stores to auto_online_blocks and memoryN/state. */
export type OnlinePolicy = 'offline' | 'online' | 'online_kernel' | 'online_movable';
const DEFAULT_MEMORY_BLOCK_BYTES = 128 * 1024 * 1024;

/** memoryN: one block of hot-added memory, looked at when asked. */
export class MemoryBlock {
  readonly #range: MemoryRange;
  readonly #blocks: MemoryBlocks;

  constructor(
    /** N of memoryN: hpa / block size. */
    readonly id: number,
    range: MemoryRange,
    blocks: MemoryBlocks,
  ) {
    this.#range = range;
    this.#blocks = blocks;
  }

  /** hpa, bytes. */
  get start(): number {
    return this.id * this.#range.blockBytes;
  }

  get length(): number {
    return this.#range.blockBytes;
  }

  get node(): MemoryNode {
    return this.#range.node;
  }

  /** Device whose memory it is. */
  get device(): string {
    return this.#range.device;
  }

  get state(): 'offline' | 'online' {
    return this.zone === null ? 'offline' : 'online';
  }

  /** Zone it is online in. */
  get zone(): Zone | null {
    return this.#range.zoneOf(this.id);
  }

  /** Text of valid_zones: the zone, or those it could go to, the one for plain `online` first. */
  get validZones(): string {
    if (this.zone !== null) return this.zone;
    return this.#blocks.plainZone(this.node, this.id) === 'Normal' ? 'Normal Movable' : 'Movable Normal';
  }

  /** What setState() would need to bring it here (restore). */
  get policy(): OnlinePolicy {
    return this.zone === null ? 'offline' : this.zone === 'Movable' ? 'online_movable' : 'online_kernel';
  }

  get removable(): boolean {
    return true;
  }

  /** Bytes that alloc() gave out of it. */
  get usedBytes(): number {
    return this.node.usedBytesIn(this.start, this.length);
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
  /** By address. */
  #ranges: MemoryRange[] = [];
  readonly #nodes = new Map<number, MemoryNode>();
  readonly #memory: PhysicalMemory | null;

  constructor(options: MemoryBlocksOptions = {}) {
    this.blockBytes = options.blockBytes ?? DEFAULT_MEMORY_BLOCK_BYTES;
    this.autoOnline = options.autoOnline ?? 'online';
    this.#memory = options.memory ?? null;
  }

  /** By address. */
  get list(): readonly MemoryBlock[] {
    return this.#ranges.flatMap((range) =>
      Array.from({ length: range.count }, (_, at) => new MemoryBlock(range.first + at, range, this)),
    );
  }

  block(id: number): MemoryBlock | undefined {
    const range = this.#ranges.find((candidate) => candidate.has(id));
    return range === undefined ? undefined : new MemoryBlock(id, range, this);
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
    const { first, end } = this.#idsOf(start, length);
    const there = this.#within(start, length)[0];
    if (there !== undefined) fail('EEXIST', `memory${Math.max(there.first, first)} is there already`);
    if (first === end) return;
    let owner = this.#nodes.get(node);
    if (owner === undefined) {
      owner = new MemoryNode(node, this.#memory);
      this.#nodes.set(node, owner);
    }
    const range = new MemoryRange(first, end - first, this.blockBytes, owner, device);
    owner.blockCount += range.count;
    if (policy !== 'offline') range.onlineAll(this.#zoneFor(policy, owner, first, end));
    this.#ranges = [...this.#ranges, range].sort((a, b) => a.first - b.first);
  }

  /** Removes ranges as they were added; none is removed when a block is online (EBUSY names it). EINVAL a part of one. */
  remove(start: number, length: number): void {
    const { first, end } = this.#idsOf(start, length);
    const ranges = this.#within(start, length);
    const online = this.firstOnline(start, length);
    if (online !== undefined)
      fail('EBUSY', `memory${online.id} is online: offline it before its device is unbound`);
    const part = ranges.find((range) => range.first < first || range.end > end);
    if (part !== undefined)
      fail('EINVAL', `memory${part.first} was added together with memory${part.end - 1}: remove both`);
    for (const range of ranges) range.node.blockCount -= range.count;
    this.#ranges = this.#ranges.filter((range) => !ranges.includes(range));
  }

  /** Offlines what is online of the ranges in a span. EBUSY when pages are in use. */
  offlineAll(start: number, length: number): void {
    for (const range of this.#within(start, length)) range.offlineAll();
  }

  /** First block that is online, of the ranges in a span. */
  firstOnline(start: number, length: number): MemoryBlock | undefined {
    for (const range of this.#within(start, length)) {
      const id = range.firstWhere((zone) => zone !== null);
      if (id !== undefined) return new MemoryBlock(id, range, this);
    }
    return undefined;
  }

  /**
   * A store to memoryN/state.
   * @throws DaxError ENOENT no such block; EINVAL it is in that state already; EBUSY pages in use (offline)
   */
  setState(id: number, state: OnlinePolicy): void {
    const range = this.#ranges.find((candidate) => candidate.has(id));
    if (range === undefined) fail('ENOENT', `there is no memory${id}`);
    const online = range.zoneOf(id) !== null;
    if ((state === 'offline') === !online)
      fail('EINVAL', `memory${id} is ${online ? 'online' : 'offline'} already`);
    if (state === 'offline') range.offline(id);
    else range.online(id, this.#zoneFor(state, range.node, id, id + 1));
  }

  /** Zone that plain `online` gives a block: Movable when it lies inside the span of that zone alone, else Normal. */
  plainZone(node: MemoryNode, id: number): Zone {
    return this.#zoneFor('online', node, id, id + 1);
  }

  #zoneFor(policy: OnlinePolicy, node: MemoryNode, first: number, end: number): Zone {
    if (policy === 'online_movable') return 'Movable';
    if (policy === 'online_kernel') return 'Normal';
    const inside = (zone: Zone): boolean => {
      const span = this.#spanOf(node, zone);
      return span !== null && first <= span.last && end > span.first;
    };
    return inside('Movable') && !inside('Normal') ? 'Movable' : 'Normal';
  }

  /** First and last block of a node that are online in a zone. */
  #spanOf(node: MemoryNode, zone: Zone): { first: number; last: number } | null {
    const isIn = (candidate: Zone | null): boolean => candidate === zone;
    const ranges = this.#ranges.filter((range) => range.node === node);
    const [first] = ranges.flatMap((range) => range.firstWhere(isIn) ?? []);
    const last = ranges.flatMap((range) => range.lastWhere(isIn) ?? []).at(-1);
    return first === undefined || last === undefined ? null : { first, last };
  }

  #within(start: number, length: number): MemoryRange[] {
    const { first, end } = this.#idsOf(start, length);
    return this.#ranges.filter((range) => range.first < end && range.end > first);
  }

  #idsOf(start: number, length: number): { first: number; end: number } {
    if (start % this.blockBytes !== 0 || length % this.blockBytes !== 0)
      fail('EINVAL', `${start}+${length} is not whole memory blocks of ${this.blockBytes} bytes`);
    return { first: start / this.blockBytes, end: (start + length) / this.blockBytes };
  }
}
