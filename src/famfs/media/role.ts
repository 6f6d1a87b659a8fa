/** Who may write (famfs.md 4): the host whose uuid the superblock names. */
import type { Superblock } from './layout.js';

export type Role = 'master' | 'client';

export function roleOf(superblock: Superblock, systemUuid: string): Role {
  return superblock.systemUuid === systemUuid.toLowerCase() ? 'master' : 'client';
}
