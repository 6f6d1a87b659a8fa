import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { types } from 'node:util';
import { fail } from '../../libc/index.js';
import { decodeName } from '../media/path.js';

export type PathLike = string | Uint8Array | URL;

/**
 * Converts a path that node:fs would take to an absolute path of the volume. It resolves `.` and `..` by name: famfs has no
 * links. Relative paths start at the volume's root.
 */
export function volumePath(path: PathLike): string {
  if (path === '') fail('ENOENT', 'an empty path names nothing', { path: '' });
  if (typeof path === 'string') return posix.resolve('/', path);
  if (types.isUint8Array(path)) return posix.resolve('/', decodeName(path));
  // Recognized as node:fs does it, so a URL of another realm counts too.
  if (isUrl(path)) return posix.resolve('/', fileURLToPath(path.href));
  const error = new TypeError(`The "path" argument must be a string, Buffer or URL, not ${typeof path}`);
  throw Object.assign(error, { code: 'ERR_INVALID_ARG_TYPE' });
}

function isUrl(value: unknown): value is URL {
  return typeof value === 'object' && value !== null && 'href' in value && 'protocol' in value;
}
