/** Striping of a file that gets other bytes: those are striped as the ones before. */
import { hasCode } from '../../libc/index.js';
import { FAMFS_MAX_BUCKETS, type Superblock } from '../media/layout.js';
import { type Stripe, stripeFaults } from '../media/stripe.js';
import type { Inode } from './inode.js';

/** The striping of a file, for one like it. Its map does not say of how many buckets; as many as strips are the least. */
export function stripeOf({ fmap, size }: Inode): Stripe | undefined {
  if (size === 0 || fmap.type === 'simple') return undefined;
  return { nstrips: fmap.nstrips, nbuckets: fmap.nstrips, chunkSize: fmap.chunkSize };
}

/**
 * Takes space in strips. Where free space is in pieces, more and smaller buckets can have what fewer cannot.
 * @throws DaxError ENOSPC no number of buckets has it
 */
export function takeInStripes<T>(superblock: Superblock, stripe: Stripe, take: (stripe: Stripe) => T): T {
  for (let { nbuckets } = stripe; ; nbuckets *= 2) {
    try {
      return take({ ...stripe, nbuckets });
    } catch (error) {
      const next = { ...stripe, nbuckets: nbuckets * 2 };
      const isLast = next.nbuckets > FAMFS_MAX_BUCKETS || stripeFaults(next, superblock).length > 0;
      if (isLast || !hasCode(error, 'ENOSPC')) throw error;
    }
  }
}
