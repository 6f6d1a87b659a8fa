import type { DaxDevice } from '../dax/index.js';
import { PAGE_SIZE } from '../mm/index.js';

/**
 * Ends the mappings of files over [offset, offset + length) of the device, which has failed or is about
 * to go (length Infinity: all of it); mappings of other pages stay. Their users are told (DaxMapping.onLost), their views have length 0.
 * @returns how many mappings ended
 */
export function failMappings(device: DaxDevice, offset: number, length: number): number {
  const start = offset - (offset % PAGE_SIZE);
  const end = Math.min(device.size, Math.ceil((offset + length) / PAGE_SIZE) * PAGE_SIZE);
  const ranges = device.physicalRanges(start, Math.max(0, end - start));
  return ranges.reduce((ended, range) => ended + device.memory.kill(range.start, range.length), 0);
}
