import { fail } from '../../libc/index.js';

const ALL_BITS = 0o7777;

/** Checks permission bits. @throws DaxError EINVAL beyond 0o7777 */
export function permissions(mode: number, path: string): number {
  if (!Number.isInteger(mode) || mode < 0 || mode > ALL_BITS) {
    fail('EINVAL', `mode ${mode} of ${path} is not a set of permission bits (0 to 0o7777)`, { path });
  }
  return mode;
}

/** Who owns something new: as given, else the caller. */
export function ownerOf({ uid, gid }: { uid?: number; gid?: number }): { uid: number; gid: number } {
  return { uid: uid ?? process.getuid?.() ?? 0, gid: gid ?? process.getgid?.() ?? 0 };
}
