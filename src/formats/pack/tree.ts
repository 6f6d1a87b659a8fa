/** What is below a directory of this host, in the order in which it is packed. */
import fs from 'node:fs';
import { asDaxError, isError } from '../../libc/index.js';

/** Something to pack. */
export interface PackItem {
  /** From the directory, with slashes. */
  readonly name: string;
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink';
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly modifiedNs: bigint;
  /** Of a symbolic link. */
  readonly target?: string;
  /** Equal for names of one file; undefined when it has one name. */
  readonly identity?: string;
}

/** What was not packed, and why. */
export interface Skipped {
  path: string;
  code: string;
  message: string;
}

/**
 * Walks a directory, names sorted; a directory comes before what is in it.
 * @param isLeftOut whether a file is not to be packed and not to be told: the archive itself
 * @throws DaxError ENOENT, ENOTDIR, EACCES of the directory itself
 */
export function* treeBelow(
  directory: string,
  isLeftOut: (stat: fs.BigIntStats) => boolean,
  skipped: (what: Skipped) => void,
): Generator<PackItem> {
  // Uses an explicit stack: a very deep tree must not exceed the limit of the call stack.
  const pending: string[] = namesIn(directory, '', skipped, true);
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const path = `${directory}/${name}`;
    try {
      const stat = fs.lstatSync(path, { bigint: true });
      const type = typeOf(stat);
      if (type === null) {
        skipped({ path, code: 'EINVAL', message: 'neither a file, a directory nor a symbolic link' });
        continue;
      }
      if (isLeftOut(stat)) continue;
      yield itemOf(name, path, type, stat);
      if (type === 'directory') pending.push(...namesIn(path, `${name}/`, skipped, false));
    } catch (error) {
      skipped(reasonOf(path, error));
    }
  }
}

export function reasonOf(path: string, error: unknown): Skipped {
  if (!isError(error)) throw error;
  const code = (error as { code?: unknown }).code;
  if (typeof code !== 'string') throw error;
  return { path, code, message: error.message };
}

function itemOf(name: string, path: string, type: PackItem['type'], stat: fs.BigIntStats): PackItem {
  return {
    name,
    path,
    type,
    size: Number(stat.size),
    mode: Number(stat.mode) & 0o7777,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    modifiedNs: stat.mtimeNs,
    ...(type === 'symlink' && { target: fs.readlinkSync(path) }),
    ...(type === 'file' && stat.nlink > 1n && { identity: `${stat.dev}:${stat.ino}` }),
  };
}

function typeOf(stat: fs.BigIntStats): PackItem['type'] | null {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  return stat.isSymbolicLink() ? 'symlink' : null;
}

/** The names in a directory, the last first, below `prefix`. A name that is no UTF-8 has no text that could be stored. */
function namesIn(path: string, prefix: string, skipped: (what: Skipped) => void, isTop: boolean): string[] {
  let raw: Buffer[];
  try {
    raw = fs.readdirSync(path, { encoding: 'buffer' });
  } catch (error) {
    if (isTop) throw asDaxError(error, `cannot read the directory ${path}`, path);
    skipped(reasonOf(path, error));
    return [];
  }
  const names: string[] = [];
  for (const bytes of raw) {
    const name = bytes.toString();
    if (Buffer.from(name).equals(bytes)) names.push(prefix + name);
    else skipped({ path: `${path}/${name}`, code: 'EILSEQ', message: 'its name is no UTF-8: rename it' });
  }
  return names.sort().reverse();
}
