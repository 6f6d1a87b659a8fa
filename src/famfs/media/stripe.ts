/** The parameters of interleaved allocations and their rules (famfs-format.md 9), with the checks that upstream lacks. */
import { fail } from '../../libc/index.js';
import {
  FAMFS_MAX_BUCKETS,
  FAMFS_MAX_STRIPS,
  FAMFS_MIN_BUCKET_SIZE,
  FAMFS_MIN_DEVICE_SIZE,
} from './layout.js';
import { isPowerOfTwo } from './superblock.js';

/** Spreads a file in chunks over `nstrips` of the `nbuckets` equal parts of the device. */
export interface Stripe {
  nstrips: number;
  nbuckets: number;
  /** Bytes. A power of two and a multiple of the allocation unit. */
  chunkSize: number;
}

export interface StripeLimits {
  deviceSize: number;
  allocUnit: number;
  /** The smallest allowed bucket, bytes. Default: {@link minimumBucketSize}. */
  minBucketSize?: number;
}

/**
 * The smallest allowed bucket, bytes. From 4 GiB up the rule is C's 1 GiB, so that both accept the same parameters. On
 * smaller devices, which only udax formats, a bucket must hold one chunk.
 */
export function minimumBucketSize(deviceSize: number, chunkSize: number): number {
  return deviceSize >= FAMFS_MIN_DEVICE_SIZE ? FAMFS_MIN_BUCKET_SIZE : chunkSize;
}

/** Every rule that the parameters break, as text. The list is empty when they are good. */
export function stripeFaults(stripe: Stripe, limits: StripeLimits): string[] {
  const { nstrips, nbuckets, chunkSize } = stripe;
  const faults: string[] = [];
  if (!inRange(nstrips, FAMFS_MAX_STRIPS)) faults.push(`strips are 1 to ${FAMFS_MAX_STRIPS}, not ${nstrips}`);
  const bucketsInRange = inRange(nbuckets, FAMFS_MAX_BUCKETS);
  if (!bucketsInRange) faults.push(`buckets are 1 to ${FAMFS_MAX_BUCKETS}, not ${nbuckets}`);
  if (nstrips > nbuckets) faults.push(`${nstrips} strips need as many buckets, there are ${nbuckets}`);
  if (!isPowerOfTwo(chunkSize)) faults.push(`chunk size ${chunkSize} is not a power of two`);
  else if (chunkSize % limits.allocUnit !== 0) {
    faults.push(`chunk size ${chunkSize} is not a multiple of the allocation unit, ${limits.allocUnit}`);
  }
  const least = limits.minBucketSize ?? minimumBucketSize(limits.deviceSize, chunkSize);
  if (bucketsInRange && limits.deviceSize / nbuckets < least) {
    faults.push(
      `${nbuckets} buckets of this device have ${Math.floor(limits.deviceSize / nbuckets)} bytes each, at least ${least} are needed`,
    );
  }
  return faults;
}

function inRange(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= max;
}

/** @throws DaxError EINVAL naming every broken rule */
export function checkStripe(stripe: Stripe, limits: StripeLimits): void {
  const faults = stripeFaults(stripe, limits);
  if (faults.length > 0) fail('EINVAL', `interleaving refused: ${faults.join('; ')}`);
}
