import type { DaxDevice } from '../dax/index.js';
import { PAGE_SIZE } from '../mm/index.js';

/**
 * Ends the mappings of files over [offset, offset + length) of the device, which has failed or is about
 * to go (length Infinity: all of it); mappings of other pages stay. Their users are told (DaxMapping.onLost), their views have length 0.
 * @returns how many mappings ended
 */
export function failMappings(device: DaxDevice, offset: number, length: number): number {
  let ended = 0;
  const end = Math.min(device.size, Math.ceil((offset + length) / PAGE_SIZE) * PAGE_SIZE);
  for (let at = offset - (offset % PAGE_SIZE); at < end; ) {
    // Recovery access: the pages may be marked as poisoned already.
    const { hpa, pages } = device.directAccess(at / PAGE_SIZE, (end - at) / PAGE_SIZE, 'recovery');
    ended += device.memory.kill(hpa, pages * PAGE_SIZE);
    at += pages * PAGE_SIZE;
  }
  return ended;
}
