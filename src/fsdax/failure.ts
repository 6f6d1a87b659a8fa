import type { DaxDevice } from '../dax/index.js';
import { PAGE_SIZE } from '../mm/index.js';

/**
 * Ends the mappings of files over [offset, offset + length) of a device, when that memory has failed or is about to be removed
 * (length Infinity: the whole device). Mappings of other pages stay. The views of ended mappings have length 0, and their
 * users are told (DaxMapping.onLost).
 * @returns how many mappings ended
 */
export function failMappings(device: DaxDevice, offset: number, length: number): number {
  const start = offset - (offset % PAGE_SIZE);
  const end = Math.min(device.size, Math.ceil((offset + length) / PAGE_SIZE) * PAGE_SIZE);
  const ranges = device.physicalRanges(start, Math.max(0, end - start));
  return ranges.reduce((ended, range) => ended + device.memory.kill(range.start, range.length), 0);
}
