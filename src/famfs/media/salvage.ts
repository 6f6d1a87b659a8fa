/**
 * Reads what is left of a famfs whose superblock or log has lost memory. It writes nothing: a made-up superblock is never
 * stored.
 */
import { fail } from '../../libc/index.js';
import {
  FAMFS_ALLOC_UNIT,
  FAMFS_ALLOC_UNIT_SMALL,
  FAMFS_LOG_OFFSET,
  FAMFS_MIN_LOG_LENGTH,
  FAMFS_OMF_MAJOR,
  FAMFS_OMF_MINOR,
  FAMFS_SUPER_MAGIC,
  FAMFS_VERSION,
  logHeaderLayout,
  type Superblock,
  TIB,
  UDAX_MAX_LOG_LENGTH,
} from './layout.js';
import { checkLogHeader, decodeLogHeader, logHeaderNumberFaults } from './log.js';
import type { Media } from './media.js';
import {
  checkSuperblock,
  decodeSuperblock,
  isPowerOfTwo,
  SUPERBLOCK_SIZE,
  superblockBytes,
  superblockFaults,
  superblockNumberFaults,
} from './superblock.js';
import { NIL_UUID } from './uuid.js';

/** A device up to this size has few enough units of 4 KiB for an allocation map. */
const SMALL_UNITS_UP_TO = 4 * TIB;

/**
 * The superblock. When it cannot be read or fails its checks, one is made up from the log header and the device. When the
 * header is lost too, the log gets the default length. A made-up superblock has the smaller of the two allocation units (on
 * devices up to 4 TiB), so that the extents of either pass the alignment check.
 * @throws DaxError EINVAL there is neither a superblock nor a log
 */
export function salvagedSuperblock(media: Media): Superblock {
  const whole = wholeSuperblock(media);
  if (whole !== null) return whole;
  const logLength = statedLogLength(media);
  if (logLength === null && isThere(media, 0, SUPERBLOCK_SIZE)) {
    fail('EINVAL', `${media.name}: there is neither a famfs superblock nor a log: nothing can be salvaged`, {
      path: media.name,
    });
  }
  return {
    magic: FAMFS_SUPER_MAGIC,
    version: FAMFS_VERSION,
    logOffset: FAMFS_LOG_OFFSET,
    logLength: logLength ?? FAMFS_MIN_LOG_LENGTH,
    allocUnit: media.size <= SMALL_UNITS_UP_TO ? FAMFS_ALLOC_UNIT_SMALL : FAMFS_ALLOC_UNIT,
    omfMajor: FAMFS_OMF_MAJOR,
    omfMinor: FAMFS_OMF_MINOR,
    uuid: NIL_UUID,
    deviceUuid: NIL_UUID,
    systemUuid: NIL_UUID,
    crc: 0,
    flags: 0,
    deviceSize: media.size,
    daxdevUuid: NIL_UUID,
    deviceName: media.name,
  };
}

function wholeSuperblock(media: Media): Superblock | null {
  if (!isThere(media, 0, SUPERBLOCK_SIZE)) return null;
  const bytes = superblockBytes(media);
  if (bytes === null || checkSuperblock(bytes).result !== 0) return null;
  if (superblockNumberFaults(bytes).length > 0) return null;
  const superblock = decodeSuperblock(bytes);
  const faults = superblockFaults(superblock, media.size);
  return faults.every(({ code }) => code === 'superblock-device-size') ? superblock : null;
}

/** The log length that the log header states; null when there is no valid log header. */
function statedLogLength(media: Media): number | null {
  const { size } = logHeaderLayout;
  if (media.size < FAMFS_LOG_OFFSET + FAMFS_MIN_LOG_LENGTH || !isThere(media, FAMFS_LOG_OFFSET, size))
    return null;
  const header = Uint8Array.from(media.bytes(FAMFS_LOG_OFFSET, size));
  if (checkLogHeader(header, FAMFS_LOG_OFFSET) !== null) return null;
  if (logHeaderNumberFaults(header, FAMFS_LOG_OFFSET).length > 0) return null;
  const { length } = decodeLogHeader(header, FAMFS_LOG_OFFSET);
  const fits = length <= UDAX_MAX_LOG_LENGTH && FAMFS_LOG_OFFSET + length <= media.size;
  return fits && length >= FAMFS_MIN_LOG_LENGTH && isPowerOfTwo(length) ? length : null;
}

function isThere(media: Media, offset: number, length: number): boolean {
  return (media.lost?.(offset, length).length ?? 0) === 0;
}
