/** Who may write (famfs-format.md 4): the host whose uuid the superblock names. */
import { hasCode } from '../../libc/index.js';
import type { Superblock } from './layout.js';

export type Role = 'master' | 'client';

export function roleOf(superblock: Superblock, systemUuid: string): Role {
  return superblock.systemUuid === systemUuid.toLowerCase() ? 'master' : 'client';
}

/** This host's uuid; undefined where none can be made or read: such a host is a client everywhere (famfs-format.md 4). */
export function systemUuidIfAny(host: { readonly systemUuid: string }): string | undefined {
  try {
    return host.systemUuid;
  } catch (error) {
    if (hasCode(error, 'EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTDIR', 'ENOSPC')) return undefined;
    throw error;
  }
}
