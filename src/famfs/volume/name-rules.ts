/** Rules for names, modes and owners that callers give. */
import { fail } from '../../libc/index.js';
import { ANNEX_NAME, OBJECTS_NAME } from '../media/annex-layout.js';
import { toTreePath } from '../media/path.js';
import { ROOT_INO } from '../media/tree.js';

const ALL_BITS = 0o7777;

/** @throws DaxError EINVAL no name of one thing; ENAMETOOLONG */
export function checkName(name: string, path: string): void {
  if (name.includes('/')) fail('EINVAL', `'${name}' is not the name of one thing in a directory`, { path });
  toTreePath(name);
}

/** @throws DaxError EPERM the name is one of those that udax keeps in the root directory for itself */
export function refuseReserved(directory: number, name: string, path: string): void {
  if (directory !== ROOT_INO || !(name === OBJECTS_NAME || name.startsWith(ANNEX_NAME))) return;
  fail('EPERM', `${path}: udax keeps what the log cannot say under that name`, { path });
}

/** Checks permission bits. @throws DaxError EINVAL beyond 0o7777 */
export function permissions(mode: number, path: string): number {
  if (!Number.isInteger(mode) || mode < 0 || mode > ALL_BITS) {
    fail('EINVAL', `mode ${mode} of ${path} is not a set of permission bits (0 to 0o7777)`, { path });
  }
  return mode;
}

/** The owner of a new file or directory: as given, else the user of this process. */
export function ownerOf({ uid, gid }: { uid?: number; gid?: number }): { uid: number; gid: number } {
  return { uid: uid ?? process.getuid?.() ?? 0, gid: gid ?? process.getgid?.() ?? 0 };
}
