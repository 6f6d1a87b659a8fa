import fs from 'node:fs';
import { fail } from './errors.js';

/**
 * Opens a file of ours that must be a regular one: what lies in its place is neither followed (a symbolic link) nor waited for
 * (a pipe). Node adds O_CLOEXEC.
 * @throws ELOOP a symbolic link; EINVAL a pipe, a device ...; EISDIR; as open(2)
 */
export function openRegularFile(path: string, flags: number, mode?: number): number {
  const { O_NOFOLLOW, O_NONBLOCK } = fs.constants;
  const fd = fs.openSync(path, flags | O_NOFOLLOW | O_NONBLOCK, mode);
  if (fs.fstatSync(fd).isFile()) return fd;
  fs.closeSync(fd);
  return fail('EINVAL', `${path} is no regular file: remove it, it is not of udax`, { path });
}
