import type { CreateOptions } from '../../famfs/index.js';
import { UsageError } from '../errors.js';
import { idArgument, integerArgument, modeArgument } from './numbers.js';
import { sizeArgument } from './size.js';

export interface OwnershipFlags {
  mode?: string;
  uid?: string;
  gid?: string;
}

export interface StripeFlags {
  nstrips?: string;
  nbuckets?: string;
  chunksize?: string;
}

/** Reads owner and group from `-u -g`. Default: the caller's. There is a mode only when `-m` was given. */
export function ownershipOf(flags: OwnershipFlags): { mode?: number; uid: number; gid: number } {
  const owner = {
    uid: flags.uid === undefined ? callerId('uid') : idArgument(flags.uid, '-u UID'),
    gid: flags.gid === undefined ? callerId('gid') : idArgument(flags.gid, '-g GID'),
  };
  return flags.mode === undefined ? owner : { ...owner, mode: modeArgument(flags.mode) };
}

function callerId(which: 'uid' | 'gid'): number {
  return (which === 'uid' ? process.getuid?.() : process.getgid?.()) ?? 0;
}

/**
 * Reads the interleaving of `-N -B -C`, as famfs does: any of them asks for it, and the chunk is 2 MiB unless -C is given. The
 * allocator checks what fits the device.
 */
export function stripeOf(flags: StripeFlags): { stripe?: NonNullable<CreateOptions['stripe']> } {
  if (flags.nstrips === undefined && flags.nbuckets === undefined && flags.chunksize === undefined) return {};
  if (flags.nstrips === undefined || flags.nbuckets === undefined) {
    throw new UsageError('interleaving needs both -N (strips) and -B (buckets), like -N 6 -B 8');
  }
  const nstrips = integerArgument(flags.nstrips, '-N STRIPS', 1, 16);
  const nbuckets = integerArgument(flags.nbuckets, '-B BUCKETS', 1, 64);
  const chunkSize = sizeArgument(flags.chunksize ?? '2M', '-C CHUNK');
  if (nstrips > nbuckets)
    throw new UsageError(`-N ${nstrips} is more than -B ${nbuckets}: a strip needs a bucket of its own`);
  return { stripe: { nstrips, nbuckets, chunkSize } };
}
