import { codeOf, DaxError } from './errors.js';
import { lastErrno, lazy } from './load.js';

const S_IFCHR = 0o020000;

const mknodNative = lazy('int mknod(const char *path, unsigned int mode, uint64_t device)');

/** mknod(2) of a character device; needs CAP_MKNOD. @throws EPERM, EEXIST, ENOENT, EROFS */
export function makeCharacterNode(
  path: string,
  mode: number,
  { major, minor }: { major: number; minor: number },
): void {
  const device = (minor & 0xff) + (major & 0xfff) * 2 ** 8 + (minor & 0xfff00) * 2 ** 12;
  if (mknodNative(path, S_IFCHR | mode, device) !== 0) {
    throw new DaxError(codeOf(lastErrno()), `making the device node ${path} (${major}:${minor}) failed`, {
      path,
      syscall: 'mknod',
    });
  }
}
