import fs from 'node:fs';
import { addressLedger, DaxError } from '../libc/index.js';

/**
 * How many mappings the kernel lets a process have (vm.max_map_count), and how many there are. At the limit not only our
 * mapping fails but the next allocation of anybody, and the engine aborts the process: so we stop well before.
 *
 * All of ours are counted, of every thread (the ledger knows); what others have is looked up, in /proc/self/maps, the more
 * often the nearer the limit is.
 */

/** Mappings that stay free for the engine, the allocator and other libraries. */
const SPARE_MAPS = 2048;
/** Below so many of ours nobody looks. */
const FEW = 256;

interface Looked {
  readonly limit: number;
  /** All of the process, and those of us, at that moment. */
  readonly used: number;
  readonly ours: number;
  /** So many of ours, and it is time to look again. */
  readonly again: number;
}

let looked: Looked | undefined;

/** @throws DaxError ENOMEM with the figures and the next step; `collect` is asked first to end what nobody uses any more */
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
  // Half the way: others map, too.
  looked = { limit, used, ours, again: ours + Math.max(1, Math.floor(left / 2)) };
  return looked;
}

/** How many mappings the kernel lets a process have; as many as it likes where it does not say. */
export function mapLimit(): number {
  return Number(readText('/proc/sys/vm/max_map_count') || Number.POSITIVE_INFINITY);
}

/** Where the limit was set low, a part of it. */
const spare = (limit: number) => Math.min(SPARE_MAPS, Math.floor(limit / 8));

/** What mmap means by ENOMEM here, and the next step. */
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
    return ''; // no /proc: the kernel itself says when it is enough
  }
}
