import fs from 'node:fs';
import type { Backing } from '../../src/memory/index.js';
import { HPA, MiB, memoryOver } from './support.js';

/** Bytes of a huge page. */
export const UNIT = 2 * MiB;

/** Bytes of the mappings of a backing that one entry of the page tables maps 2 MiB of each. */
export function mappedHuge(backing: Backing): number {
  let bytes = 0;
  let isOurs = false;
  for (const line of fs.readFileSync('/proc/self/smaps', 'latin1').split('\n')) {
    if (/^[0-9a-f]+-[0-9a-f]+ /.test(line)) isOurs = line.endsWith(backing.name);
    else if (isOurs && /^(ShmemPmdMapped|FilePmdMapped):/.test(line))
      bytes += Number(/\d+/.exec(line)![0]) * 1024;
  }
  return bytes;
}

/** A view of all of a backing, with a store to each huge page of it. */
export function touched(backing: Backing): Uint8Array {
  const view = memoryOver(backing).view(HPA, backing.size) as Uint8Array;
  for (let at = 0; at < view.length; at += UNIT) view[at + 5] = 7;
  return view;
}
