/** The role of a host (famfs-format.md 4). The host whose uuid the superblock names is the master, and may write. */
import { hasCode } from '../../libc/index.js';
import type { Superblock } from './layout.js';

export type Role = 'master' | 'client';

export function roleOf(superblock: Superblock, systemUuid: string): Role {
  return superblock.systemUuid === systemUuid.toLowerCase() ? 'master' : 'client';
}

/**
 * This host's uuid, or undefined when it can neither be read nor made. A host without a uuid is a client of every volume
 * (famfs-format.md 4).
 */
export function systemUuidIfAny(host: { readonly systemUuid: string }): string | undefined {
  try {
    return host.systemUuid;
  } catch (error) {
    if (hasCode(error, 'EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTDIR', 'ENOSPC')) return undefined;
    throw error;
  }
}
