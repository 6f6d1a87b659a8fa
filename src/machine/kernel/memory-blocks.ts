import { DaxError, fail } from '../../libc/index.js';
import type { SysfsFiles } from './sysfs-files.js';

/** The zone a block was brought online for: what it must be given back. */
export type OnlineState = 'online_movable' | 'online_kernel';

export interface MemoryBlockFile {
  id: number;
  online: boolean;
  movable: boolean;
}

interface PhysicalSpan {
  /** First byte. */
  start: number;
  /** Last byte. */
  end: number;
}

const MEMORY = 'devices/system/memory';

/** Bytes of a memory block; null where the kernel has no hot-pluggable memory. */
export function blockBytesOf(sysfs: SysfsFiles): number | null {
  const text = sysfs.text(`${MEMORY}/block_size_bytes`);
  const bytes = text === null ? Number.NaN : Number.parseInt(text, 16);
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : null;
}

/** What the kernel does with new memory by itself: `offline`, `online`, `online_kernel`, `online_movable`; null unknown. */
export function autoOnlinePolicy(sysfs: SysfsFiles): string | null {
  return sysfs.text(`${MEMORY}/auto_online_blocks`);
}

/** The blocks that lie wholly in the spans, by address: only these ever were the device's memory. */
export function blocksIn(sysfs: SysfsFiles, spans: readonly PhysicalSpan[]): MemoryBlockFile[] {
  const bytes = blockBytesOf(sysfs);
  if (bytes === null) return [];
  const blocks: MemoryBlockFile[] = [];
  for (const { start, end } of spans) {
    const last = Math.floor((end + 1) / bytes);
    for (let id = Math.ceil(start / bytes); id < last; id++) {
      const state = sysfs.text(`${MEMORY}/memory${id}/state`);
      if (state === null) continue;
      const online = state !== 'offline';
      const movable = online && sysfs.text(`${MEMORY}/memory${id}/valid_zones`) === 'Movable';
      blocks.push({ id, online, movable });
    }
  }
  return blocks;
}

/**
 * Brings blocks online, in order; when one refuses, those already done go offline again.
 * @throws DaxError the kernel's refusal
 */
export function bringOnline(
  sysfs: SysfsFiles,
  blocks: readonly MemoryBlockFile[],
  stateOf: (block: MemoryBlockFile) => OnlineState,
): void {
  each(blocks, 'online', (block) => writeState(sysfs, block.id, stateOf(block)), {
    undo: (block) => writeState(sysfs, block.id, 'offline'),
    undone: 'offline again',
  });
}

/**
 * Takes blocks offline, in order; when one refuses (pages of it are in use and cannot move), those already done go
 * online again, each for the zone it had.
 * @throws DaxError EBUSY
 */
export function takeOffline(sysfs: SysfsFiles, blocks: readonly MemoryBlockFile[]): void {
  each(blocks, 'offline', (block) => writeState(sysfs, block.id, 'offline'), {
    undo: (block) => writeState(sysfs, block.id, onlineStateOf(block)),
    undone: 'online again',
  });
}

/** How a block that was online is brought back. */
export function onlineStateOf(block: MemoryBlockFile): OnlineState {
  return block.movable ? 'online_movable' : 'online_kernel';
}

function writeState(sysfs: SysfsFiles, id: number, state: 'offline' | OnlineState): void {
  sysfs.write(`${MEMORY}/memory${id}/state`, `${state}\0`);
}

function each(
  blocks: readonly MemoryBlockFile[],
  goal: string,
  apply: (block: MemoryBlockFile) => void,
  { undo, undone }: { undo: (block: MemoryBlockFile) => void; undone: string },
): void {
  const done: MemoryBlockFile[] = [];
  for (const block of blocks) {
    try {
      apply(block);
      done.push(block);
    } catch (error) {
      if (!(error instanceof DaxError)) throw error;
      const stuck = done.reverse().filter((changed) => !succeeds(() => undo(changed)));
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

function succeeds(act: () => void): boolean {
  try {
    act();
    return true;
  } catch (error) {
    if (error instanceof DaxError) return false;
    throw error;
  }
}
