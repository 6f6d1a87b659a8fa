import { fail } from '../../libc/index.js';
import { toLogPath } from '../media/path.js';
import { type FileTree, type InodeStat, ROOT_INO } from '../media/tree.js';
import type { DirectoryEntry, FileStat } from './types.js';

export const NOBODY = -1;

/** What finding a path needs of a tree. */
export type Names = Pick<FileTree, 'lookup' | 'child' | 'isDirectory'>;

/** An existing file or directory. */
export interface Found {
  ino: number;
  /** As logged: no leading slash, '' for the root. */
  logPath: string;
}

/**
 * The inode of a path.
 * @throws DaxError ENOENT; ENOTDIR a file in the middle; EINVAL NUL, '.' and '..'; ENAMETOOLONG
 */
export function find(tree: Names, path: string): Found {
  const logPath = toLogPath(path);
  const ino = tree.lookup(logPath);
  if (ino === NOBODY) failMissing(tree, path, logPath);
  if (path.endsWith('/') && !tree.isDirectory(ino)) {
    fail('ENOTDIR', `${path}: /${logPath} is a file, not a directory`, { path });
  }
  return { ino, logPath };
}

/** The inode of a file. @throws DaxError EISDIR; as find() */
export function fileAt(tree: Names, path: string): number {
  const { ino, logPath } = find(tree, path);
  if (tree.isDirectory(ino)) fail('EISDIR', `/${logPath} is a directory, not a file`, { path });
  return ino;
}

/** Whether a path exists. @throws DaxError EINVAL, ENAMETOOLONG for text that cannot be a path */
export function isThere(tree: FileTree, path: string): boolean {
  return tree.lookup(toLogPath(path)) !== NOBODY;
}

/** Fails with the first component of a path that is missing. @throws DaxError ENOENT, ENOTDIR */
export function failMissing(tree: Names, path: string, logPath: string): never {
  let directory = ROOT_INO;
  const components = logPath.split('/');
  for (const [i, component] of components.entries()) {
    const ino = tree.child(directory, component);
    const rest = i < components.length - 1;
    const here = `/${components.slice(0, i + 1).join('/')}`;
    if (ino === NOBODY) {
      const what = rest ? `${path}: its directory ${here} does not exist` : `${path} does not exist`;
      fail('ENOENT', what, { path });
    }
    if (rest && !tree.isDirectory(ino))
      fail('ENOTDIR', `${path}: ${here} is a file, not a directory`, { path });
    directory = ino;
  }
  return fail('ENOENT', `${path} does not exist`, { path });
}

/** The directories that must be made so that `path` is a directory, top down. ENOTDIR when a file is in the way. */
export function missingDirectories(tree: FileTree, path: string): string[] {
  const components = toLogPath(path).split('/').filter(Boolean);
  const missing: string[] = [];
  for (let count = 1; count <= components.length; count++) {
    const logPath = components.slice(0, count).join('/');
    const ino = tree.lookup(logPath);
    if (ino === NOBODY) missing.push(logPath);
    else if (!tree.isDirectory(ino))
      fail('ENOTDIR', `${path}: /${logPath} is a file, not a directory`, { path });
  }
  return missing;
}

/** The names in the directory at a path, sorted; with `withFileTypes`, also their types. */
export function listingOf(tree: FileTree, path: string, withFileTypes: boolean): string[] | DirectoryEntry[] {
  const found = find(tree, path);
  return withFileTypes ? entriesIn(tree, found) : namesIn(tree, found);
}

function namesIn(tree: FileTree, { ino, logPath }: Found): string[] {
  if (!tree.isDirectory(ino)) {
    fail('ENOTDIR', `/${logPath} is a file: only directories have names in them`, { path: `/${logPath}` });
  }
  return tree.readdir(ino).sort();
}

function entriesIn(tree: FileTree, found: Found): DirectoryEntry[] {
  const parentPath = `/${found.logPath}`;
  const prefix = found.logPath === '' ? '' : `${found.logPath}/`;
  return namesIn(tree, found).map((name) => {
    const isDirectory = tree.isDirectory(tree.lookup(prefix + name));
    return {
      name,
      parentPath,
      isFile: () => !isDirectory,
      isDirectory: () => isDirectory,
      isSymbolicLink: () => false,
    };
  });
}

/** Walks the tree below a directory, names sorted. A directory comes before its content. A file yields itself. */
export function* walkTree(tree: FileTree, from: Found): IterableIterator<FileStat> {
  if (!tree.isDirectory(from.ino)) {
    yield statOf(tree, from);
    return;
  }
  const children = Array.from(tree.children(from.ino), (ino) => ({ ino, name: tree.nameOf(ino) }));
  children.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const { ino, name } of children) {
    const found = { ino, logPath: from.logPath === '' ? name : `${from.logPath}/${name}` };
    if (!tree.isDirectory(ino)) {
      yield statOf(tree, found);
      continue;
    }
    yield statOf(tree, found);
    yield* walkTree(tree, found);
  }
}

export function statOf(tree: FileTree, { ino, logPath }: Found): FileStat {
  return new TreeStat(`/${logPath}`, tree.stat(ino));
}

class TreeStat implements FileStat {
  readonly type: 'file' | 'directory';
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly ino: number;

  constructor(
    readonly path: string,
    stat: InodeStat,
  ) {
    this.type = stat.type;
    this.size = stat.size;
    this.mode = stat.mode;
    this.uid = stat.uid;
    this.gid = stat.gid;
    this.ino = stat.ino;
  }

  isFile(): boolean {
    return this.type === 'file';
  }

  isDirectory(): boolean {
    return this.type === 'directory';
  }
}
