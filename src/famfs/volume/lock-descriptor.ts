import fs from 'node:fs';
import { asDaxError } from '../../libc/index.js';
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
