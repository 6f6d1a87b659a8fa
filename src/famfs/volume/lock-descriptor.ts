import fs from 'node:fs';
import { asDaxError, hasCode } from '../../libc/index.js';
import type { Backing } from '../../memory/index.js';

/** Memory that locks lie on. */
export interface LockedMemory {
  readonly backing: Backing;
  readonly name: string;
}

/** Opens the backing again: open-file-description locks belong to a descriptor, and this one is the caller's own. */
export function openForLocks({ backing, name }: LockedMemory): number {
  try {
    return fs.openSync(backing.lockPath ?? `/proc/self/fd/${backing.fd}`, 'r+');
  } catch (error) {
    throw asDaxError(error, `cannot lock ${backing.name} for ${name}`, name);
  }
}

/** The same to ask for locks and to take none. Null when this process may not open the backing once more. */
export function openToAsk({ backing, name }: LockedMemory): number | null {
  try {
    return fs.openSync(backing.lockPath ?? `/proc/self/fd/${backing.fd}`, 'r');
  } catch (error) {
    if (hasCode(error, 'EACCES', 'EPERM', 'EROFS', 'ENOENT')) return null;
    throw asDaxError(error, `cannot ask for locks on ${backing.name} of ${name}`, name);
  }
}
