import { DaxError, fail } from '../libc/index.js';
import { type DaxTree, type ReadableTree, refusalOf, textOf } from './dax-tree.js';
import { type DevicePlace, spansOf } from './devices.js';

/** The memory blocks of a device in system-ram mode: reads them, brings them online, takes them offline. */

/** The store that brings a block online in a zone. */
type OnlineState = 'online_movable' | 'online_kernel';

export interface MemoryBlockPlace {
  /** N of memoryN. */
  readonly id: number;
  readonly online: boolean;
  /** True when it is online in zone Movable. */
  readonly movable: boolean;
}

const MEMORY = 'devices/system/memory';

/** The kernel's policy for new memory: `offline`, `online`, `online_kernel`, `online_movable`; null unknown. */
export function autoOnlinePolicy(tree: ReadableTree): string | null {
  return textOf(tree, `${MEMORY}/auto_online_blocks`);
}

/**
 * The blocks that are wholly inside a device, by address: only those can be its memory. None where the kernel has no
 * hot-pluggable memory, or the device's addresses are not readable.
 */
export function blocksOf(tree: ReadableTree, place: DevicePlace): MemoryBlockPlace[] {
  const bytes = Number.parseInt(textOf(tree, `${MEMORY}/block_size_bytes`) ?? '', 16);
  if (!(Number.isSafeInteger(bytes) && bytes > 0)) return [];
  const blocks: MemoryBlockPlace[] = [];
  for (const { start, end } of spansOf(tree, place)) {
    const last = Math.floor((end + 1) / bytes);
    for (let id = Math.ceil(start / bytes); id < last; id++) {
      const state = textOf(tree, `${MEMORY}/memory${id}/state`);
      if (state === null) continue;
      const online = state !== 'offline';
      const movable = online && textOf(tree, `${MEMORY}/memory${id}/valid_zones`) === 'Movable';
      blocks.push({ id, online, movable });
    }
  }
  return blocks;
}

/** Stores a state to memoryN/state. @throws DaxError the kernel's refusal */
export function setBlockState(tree: DaxTree, id: number, state: 'offline' | OnlineState): void {
  tree.write(`${MEMORY}/memory${id}/state`, `${state}\0`);
}

/**
 * Brings blocks online, in order. When one refuses, those before it go offline again.
 * @throws DaxError the kernel's refusal
 */
export function bringOnline(tree: DaxTree, blocks: readonly MemoryBlockPlace[], movable: boolean): void {
  each(blocks, 'online', (block) => setBlockState(tree, block.id, onlineState(movable)), {
    undo: (block) => setBlockState(tree, block.id, 'offline'),
    undone: 'offline again',
  });
}

/**
 * Takes blocks offline, in order. When one refuses (its pages are in use and cannot move), those before it go online again,
 * each in the zone it had.
 * @throws DaxError EBUSY a block refuses
 */
export function takeOffline(tree: DaxTree, blocks: readonly MemoryBlockPlace[]): void {
  each(blocks, 'offline', (block) => setBlockState(tree, block.id, 'offline'), {
    undo: (block) => setBlockState(tree, block.id, onlineState(block.movable)),
    undone: 'online again',
  });
}

/** Gives each block the state it had: the kernel may have brought memory online by itself, or in another zone. */
export function blocksAsBefore(tree: DaxTree, place: DevicePlace, before: readonly MemoryBlockPlace[]): void {
  const byId = new Map(before.map((block) => [block.id, block]));
  for (const now of blocksOf(tree, place)) {
    const was = byId.get(now.id);
    if (was === undefined || (was.online === now.online && was.movable === now.movable)) continue;
    if (now.online) setBlockState(tree, now.id, 'offline');
    if (was.online) setBlockState(tree, now.id, onlineState(was.movable));
  }
}

function onlineState(movable: boolean): OnlineState {
  return movable ? 'online_movable' : 'online_kernel';
}

function each(
  blocks: readonly MemoryBlockPlace[],
  goal: string,
  apply: (block: MemoryBlockPlace) => void,
  { undo, undone }: { undo: (block: MemoryBlockPlace) => void; undone: string },
): void {
  const done: MemoryBlockPlace[] = [];
  for (const block of blocks) {
    try {
      apply(block);
      done.push(block);
    } catch (error) {
      if (!(error instanceof DaxError)) throw error;
      const stuck = done.reverse().filter((changed) => refusalOf(() => undo(changed)) !== undefined);
      const before = done.length === 0 ? '' : `; the ${done.length} before it are ${undone}`;
      const after =
        stuck.length === 0
          ? before
          : `; of the ${done.length} before it these could not be put back: ${stuck.map(({ id }) => `memory${id}`).join(' ')}`;
      fail(error.code, `memory block memory${block.id} does not go ${goal} (${error.message})${after}`, {
        path: `${MEMORY}/memory${block.id}/state`,
        cause: error,
      });
    }
  }
}
