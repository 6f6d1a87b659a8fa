import { fail } from '../../libc/index.js';
import type { FuseConnectionOptions } from '../session-types.js';
import type { FuseConnection } from '../types.js';
import { type Capability, hasBit, initFlags } from './flags.js';

/** The protocol version of this code. */
export const PROTOCOL_MAJOR = 7;
const PROTOCOL_MINOR = 45;
/** The protocol that has PASSTHROUGH_V2. It is answered only together with that: other connections stay as they are. */
const PROTOCOL_MINOR_OF_MAPS = 47;
/** The protocol of Linux 4.18. Node 20 runs on no older kernel, and all structs here but InitIn had their present size by then. */
const OLDEST_MINOR = 27;
export const DEFAULT_MAX_WRITE_BYTES = 1 << 20;
/** Bytes beside the data of a WRITE or READ: header and struct, rounded up to a page. */
export const REQUEST_OVERHEAD_BYTES = 4096;
const PAGE_BYTES = 4096;
const MAX_BACKGROUND = 64;
const CONGESTION_THRESHOLD = 48;

/** Capabilities that are always requested when the kernel offers them. */
const always: readonly Capability[] = [
  'ASYNC_READ',
  'BIG_WRITES',
  'ASYNC_DIO',
  'PARALLEL_DIROPS',
  'ABORT_ERROR',
  'MAX_PAGES',
  'NO_OPEN_SUPPORT',
  'NO_OPENDIR_SUPPORT',
  'HAS_EXPIRE_ONLY',
  'INIT_EXT',
];

export interface KernelOffer {
  readonly major: number;
  readonly minor: number;
  readonly maxReadaheadBytes: number;
  /** The offered capabilities, as two words. */
  readonly flags: number;
  readonly flags2: number;
}

/** The values of fuse_init_out. */
export interface InitAnswer extends FuseConnection {
  readonly flags: number;
  readonly flags2: number;
  readonly maxBackground: number;
  readonly congestionThreshold: number;
  readonly timeGranularityNs: number;
  readonly maxPages: number;
  readonly maxStackDepth: number;
}

/**
 * Makes the answer to INIT: the capabilities that the options want and the kernel offers.
 * @throws DaxError EPROTO the kernel's protocol is too old; EINVAL options that exclude each other
 */
export function negotiate(offer: KernelOffer, options: FuseConnectionOptions): InitAnswer {
  if (offer.major < PROTOCOL_MAJOR || (offer.major === PROTOCOL_MAJOR && offer.minor < OLDEST_MINOR)) {
    fail(
      'EPROTO',
      `this kernel speaks FUSE ${offer.major}.${offer.minor}: 7.${OLDEST_MINOR} is the oldest known`,
    );
  }
  const capabilities = wanted(options).filter((name) => hasBit(offer.flags, offer.flags2, initFlags[name]));
  // Bits from 32 on are valid only with INIT_EXT.
  const usable = capabilities.includes('INIT_EXT')
    ? capabilities
    : capabilities.filter((name) => initFlags[name] < 32);
  const hasMaps = usable.includes('PASSTHROUGH_V2');
  let flags = 0;
  let flags2 = 0;
  for (const name of usable) {
    const bit = initFlags[name];
    if (bit < 32) flags = (flags | (1 << bit)) >>> 0;
    else flags2 = (flags2 | (1 << (bit - 32))) >>> 0;
  }
  const asked = Math.max(PAGE_BYTES, options.maxWriteBytes ?? DEFAULT_MAX_WRITE_BYTES);
  const maxPages = Math.min(0xffff, Math.ceil(asked / PAGE_BYTES));
  return {
    kernelMinor: offer.minor,
    minor: Math.min(offer.minor, hasMaps ? PROTOCOL_MINOR_OF_MAPS : PROTOCOL_MINOR),
    maxWriteBytes: usable.includes('MAX_PAGES') ? maxPages * PAGE_BYTES : Math.min(asked, 32 * PAGE_BYTES),
    maxReadaheadBytes: offer.maxReadaheadBytes,
    capabilities: usable,
    flags,
    flags2,
    maxBackground: MAX_BACKGROUND,
    congestionThreshold: CONGESTION_THRESHOLD,
    timeGranularityNs: 1,
    maxPages,
    maxStackDepth: hasMaps || usable.includes('PASSTHROUGH') ? 1 : 0,
  };
}

function wanted(options: FuseConnectionOptions): Capability[] {
  // The kernel would set the size of a mapped file to 0 by itself at open(O_TRUNC), and warns about what follows.
  if (options.extentMaps && options.atomicTruncate)
    fail('EINVAL', 'extentMaps and atomicTruncate exclude each other: leave one of them out');
  const names = [...always];
  if (options.atomicTruncate) names.push('ATOMIC_O_TRUNC');
  const plus = options.readdirplus ?? 'auto';
  if (plus !== 'never') names.push('DO_READDIRPLUS');
  if (plus === 'auto') names.push('READDIRPLUS_AUTO');
  names.push(options.autoInvalidate ? 'AUTO_INVAL_DATA' : 'EXPLICIT_INVAL_DATA');
  if (options.cacheSymlinks !== false) names.push('CACHE_SYMLINKS');
  if (options.directIoMmap !== false) names.push('DIRECT_IO_ALLOW_MMAP');
  if (options.posixAcl) names.push('POSIX_ACL');
  if (options.handleKillPrivileges) names.push('HANDLE_KILLPRIV_V2');
  // With both, V2 wins and the old form does not work.
  if (options.extentMaps) names.push('PASSTHROUGH_V2');
  else if (options.passthrough) names.push('PASSTHROUGH');
  return names;
}
