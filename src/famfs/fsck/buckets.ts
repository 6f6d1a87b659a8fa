/** Reports the buckets of a device: the equal parts that interleaved allocation uses (`fsck -B`). */
import { fail } from '../../libc/index.js';
import type { AllocationMap } from '../media/allocation-map.js';
import { FAMFS_MAX_BUCKETS, type Superblock } from '../media/layout.js';

/** One bucket. All figures are bytes, except `freeFragments`, a count. */
export interface Bucket {
  size: number;
  inUse: number;
  free: number;
  freeFragments: number;
  largestFragment: number;
  smallestFragment: number;
}

export interface BucketReport {
  /** Bytes at the device's end that belong to no bucket. */
  overhang: number;
  buckets: Bucket[];
}

/** @throws DaxError EINVAL unless 1 to 64 buckets */
export function bucketReports(superblock: Superblock, map: AllocationMap, count: number): BucketReport {
  if (!(Number.isInteger(count) && count >= 1 && count <= FAMFS_MAX_BUCKETS)) {
    fail('EINVAL', `buckets are 1 to ${FAMFS_MAX_BUCKETS}, not ${count}`);
  }
  const units = Math.floor(superblock.deviceSize / superblock.allocUnit);
  const each = Math.floor(units / count);
  const buckets = Array.from({ length: count }, (_, i) =>
    bucketReport(map, i * each, (i + 1) * each, superblock.allocUnit),
  );
  return { overhang: (units - each * count) * superblock.allocUnit, buckets };
}

function bucketReport(map: AllocationMap, start: number, end: number, unit: number): Bucket {
  const bucket: Bucket = {
    size: (end - start) * unit,
    inUse: map.countSet(start, end - start) * unit,
    free: 0,
    freeFragments: 0,
    largestFragment: 0,
    smallestFragment: 0,
  };
  for (const run of map.freeRuns(start, end)) {
    const bytes = run.count * unit;
    bucket.free += bytes;
    bucket.freeFragments++;
    bucket.largestFragment = Math.max(bucket.largestFragment, bytes);
    bucket.smallestFragment = bucket.freeFragments === 1 ? bytes : Math.min(bucket.smallestFragment, bytes);
  }
  return bucket;
}
