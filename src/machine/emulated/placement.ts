import fs from 'node:fs';
import { hasCode } from '../../libc/index.js';

const GiB = 2 ** 30;
const LOWEST_HPA = 2 ** 40;

export interface Span {
  start: number;
  length: number;
}

/**
 * Finds the address of a new region: the lowest multiple of 1 GiB, at or above 1 TiB and above the host's own memory blocks, with
 * `length` free bytes. `taken` has the regions, and the resources that outlived their region.
 */
export function placeRegion(length: number, taken: readonly Span[], floor = hostMemoryEnd()): number {
  let start = roundUp(Math.max(LOWEST_HPA, floor), GiB);
  for (const span of [...taken].sort((a, b) => a.start - b.start)) {
    if (span.start >= start + length) break;
    start = Math.max(start, roundUp(span.start + span.length, GiB));
  }
  return start;
}

/** First byte above the host's memory blocks; 0 when unknown. A host with many TiB of memory must not share our addresses. */
function hostMemoryEnd(): number {
  const directory = '/sys/devices/system/memory';
  try {
    const blockBytes = Number.parseInt(fs.readFileSync(`${directory}/block_size_bytes`, 'latin1'), 16);
    let highest = -1;
    for (const name of fs.readdirSync(directory)) {
      if (/^memory\d+$/.test(name)) highest = Math.max(highest, Number(name.slice(6)));
    }
    return (highest + 1) * blockBytes;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'EACCES')) return 0;
    throw error;
  }
}

/** The host's highest NUMA node; 0 when the kernel does not tell. The memory of region R becomes node this + 1 + R. */
export function highestHostNode(): number {
  try {
    const text = fs.readFileSync('/sys/devices/system/node/online', 'latin1').trim();
    return Number(/(\d+)$/.exec(text)?.[1] ?? 0);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'EACCES')) return 0;
    throw error;
  }
}

function roundUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}
