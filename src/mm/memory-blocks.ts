import { fail } from '../libc/index.js';
import type { PhysicalMemory } from '../memory/index.js';
import { MemoryNode } from './memory-node.js';
import { MemoryRange, type Zone } from './memory-range.js';

/** The words that auto_online_blocks and memoryN/state accept. */
export type OnlinePolicy = 'offline' | 'online' | 'online_kernel' | 'online_movable';
const DEFAULT_MEMORY_BLOCK_BYTES = 128 * 1024 * 1024;

/** memoryN: one block of hot-added memory. It stores nothing: every property is read from its range when asked for. */
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

  /** The device that the memory belongs to. */
  get device(): string {
    return this.#range.device;
  }

  get state(): 'offline' | 'online' {
    return this.zone === null ? 'offline' : 'online';
  }

  /** The zone it is online in; null offline. */
  get zone(): Zone | null {
    return this.#range.zoneOf(this.id);
  }

  /** Text of valid_zones: the zone it is in; or the zones it can go to, first the one that plain `online` gives. */
  get validZones(): string {
    if (this.zone !== null) return this.zone;
    return this.#blocks.plainZone(this.node, this.id) === 'Normal' ? 'Normal Movable' : 'Movable Normal';
  }

  /** The word that setState() needs to bring a block into this state (for restore). */
  get policy(): OnlinePolicy {
    return this.zone === null ? 'offline' : this.zone === 'Movable' ? 'online_movable' : 'online_kernel';
  }

  get removable(): boolean {
    return true;
  }

  /** Bytes of it that alloc() gave out. */
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

/** Every hot-added memory block of a machine, and the nodes that the blocks make up. */
export class MemoryBlocks {
  readonly blockBytes: number;
  /** auto_online_blocks: the state that added blocks get. */
  autoOnline: OnlinePolicy;
  /** In order of address. */
  #ranges: MemoryRange[] = [];
  readonly #nodes = new Map<number, MemoryNode>();
  readonly #memory: PhysicalMemory | null;

  constructor(options: MemoryBlocksOptions = {}) {
    this.blockBytes = options.blockBytes ?? DEFAULT_MEMORY_BLOCK_BYTES;
    this.autoOnline = options.autoOnline ?? 'online';
    this.#memory = options.memory ?? null;
  }

  /** All blocks, in order of address. */
  get list(): readonly MemoryBlock[] {
    return this.#ranges.flatMap((range) =>
      Array.from({ length: range.count }, (_, at) => new MemoryBlock(range.first + at, range, this)),
    );
  }

  block(id: number): MemoryBlock | undefined {
    const range = this.#ranges.find((candidate) => candidate.has(id));
    return range === undefined ? undefined : new MemoryBlock(id, range, this);
  }

  /** The node; undefined when it has no block. */
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

  /** The whole blocks inside [start, start + length): the part of a range that kmem can add. */
  trim(start: number, length: number): { start: number; length: number } {
    const first = Math.ceil(start / this.blockBytes) * this.blockBytes;
    const end = Math.floor((start + length) / this.blockBytes) * this.blockBytes;
    return { start: first, length: Math.max(0, end - first) };
  }

  /**
   * Hot-adds whole blocks to a node and onlines them by policy.
   * @throws DaxError EEXIST one of them exists, EINVAL not whole blocks
   */
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

  /**
   * Removes ranges of blocks, each whole as it was added. On an error none is removed.
   * @throws DaxError EBUSY a block is online (the message names it); EINVAL not whole blocks, or only a part of a range
   */
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

  /** Offlines the online blocks of all ranges that overlap a span. @throws DaxError EBUSY pages are in use */
  offlineAll(start: number, length: number): void {
    for (const range of this.#within(start, length)) range.offlineAll();
  }

  /** The first online block of the ranges that overlap a span. */
  firstOnline(start: number, length: number): MemoryBlock | undefined {
    for (const range of this.#within(start, length)) {
      const id = range.firstWhere((zone) => zone !== null);
      if (id !== undefined) return new MemoryBlock(id, range, this);
    }
    return undefined;
  }

  /**
   * Sets the state of a block, as a store to memoryN/state does.
   * @throws DaxError ENOENT no such block; EINVAL it is in that state already; EBUSY pages are in use (offline)
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

  /** The zone that plain `online` gives a block: Movable when the block is inside the span of that zone only, else Normal. */
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

  /** The first and the last block of a node that are online in a zone; null when none is. */
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
