import fs from 'node:fs';
import { addressLedger, DaxError } from '../libc/index.js';

/**
 * Keeps the process below the kernel's limit of mappings (vm.max_map_count). At the limit not only the next mapping of udax
 * fails, but any allocation, and the engine then aborts the process. So udax refuses new mappings well before.
 *
 * The ledger counts the mappings of udax, of all threads. The mappings of the whole process are counted in /proc/self/maps:
 * the nearer the limit, the more often.
 */

/** Mappings that stay free for the engine, the allocator and other libraries. */
const SPARE_MAPS = 2048;
/** With fewer mappings of udax than this, /proc/self/maps is not read. */
const FEW = 256;

interface Looked {
  readonly limit: number;
  /** Mappings of the process, and those of udax among them, at that moment. */
  readonly used: number;
  readonly ours: number;
  /** With this many mappings of udax, count again. */
  readonly again: number;
}

let looked: Looked | undefined;

/**
 * Checks that `pieces` more mappings fit.
 * @param collect ends mappings that were dropped without close(); called before giving up
 * @throws DaxError ENOMEM with the figures and the next step
 */
export function checkMapCount(pieces: number, label: string, collect: () => boolean): void {
  const ours = addressLedger.pieces;
  if (ours + pieces < (looked?.again ?? FEW)) return;
  if (fits(pieces) || (collect() && fits(pieces))) return;
  const { used, limit } = look();
  throw new DaxError(
    'ENOMEM',
    `${label}: no room for a mapping of ${pieces} pieces: ${used} of ${limit} maps of this process are in use, ` +
      `${addressLedger.pieces} by udax, and ${spare(limit)} are kept for the rest of it: close views, map a smaller part, or raise sysctl vm.max_map_count`,
    { syscall: 'mmap' },
  );
}

function fits(pieces: number): boolean {
  const { used, limit } = look();
  return used + pieces + spare(limit) <= limit;
}

function look(): Looked {
  const ours = addressLedger.pieces;
  const limit = mapLimit();
  const used = readText('/proc/self/maps').split('\n').length - 1;
  const left = limit - spare(limit) - used;
  // Count again half way to the limit: other code maps too.
  looked = { limit, used, ours, again: ours + Math.max(1, Math.floor(left / 2)) };
  return looked;
}

/** The most mappings that the kernel lets a process have; Infinity where it does not say. */
export function mapLimit(): number {
  return Number(readText('/proc/sys/vm/max_map_count') || Number.POSITIVE_INFINITY);
}

/** Mappings to keep free: SPARE_MAPS, but at most an eighth of the limit. */
const spare = (limit: number) => Math.min(SPARE_MAPS, Math.floor(limit / 8));

/** Says why mmap failed with ENOMEM, and the next step. */
export function whyNoMemory(error: unknown): string {
  const { used, limit } = look();
  if (used + SPARE_MAPS / 2 > limit)
    return `${used} of ${limit} maps of this process are in use: close views, or raise sysctl vm.max_map_count`;
  const [, soft] = /^Max address space +(\S+)/m.exec(readText('/proc/self/limits')) ?? [];
  if (soft !== undefined && soft !== 'unlimited')
    return `this process may have ${soft} bytes of addresses: raise ulimit -v, or map a smaller part`;
  return `${(error as Error).message}: map a smaller part`;
}

function readText(path: string): string {
  try {
    return fs.readFileSync(path, 'latin1');
  } catch {
    return ''; // no /proc: no limit is known, and mmap itself fails at it
  }
}
