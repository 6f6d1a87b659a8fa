import { fail, hasCode } from '../../libc/index.js';
import { toTreePath } from '../media/path.js';
import { type FileTree, type InodeStat, ROOT_INO } from '../media/tree.js';
import type { DirectoryEntry, FileStat } from './types.js';

export const NOBODY = -1;
/** As Linux. */
const MOST_LINKS = 40;

/** What finding a path needs of a tree. */
export type Names = Pick<FileTree, 'lookup' | 'child' | 'isDirectory'> & Partial<Links>;
type Links = Pick<FileTree, 'hasLinks' | 'linkTarget' | 'pathOf'>;

/** An existing file or directory. */
export interface Found {
  ino: number;
  /** No leading slash, '' for the root. */
  logPath: string;
}

/**
 * The inode of a path. Symbolic links are followed, the last name only with `follow`.
 * @throws DaxError ENOENT; ENOTDIR a file in the middle; EINVAL NUL, '.' and '..'; ENAMETOOLONG; ELOOP
 */
export function find(tree: Names, path: string, follow = true): Found {
  const logPath = toTreePath(path);
  if (tree.hasLinks) {
    const found = resolveLinks(tree as Names & Links, path, logPath, follow || path.endsWith('/'));
    if (path.endsWith('/') && !tree.isDirectory(found.ino)) failNoDirectory(path, found.logPath);
    return found;
  }
  const ino = tree.lookup(logPath);
  if (ino === NOBODY) failMissing(tree, path, logPath);
  if (path.endsWith('/') && !tree.isDirectory(ino)) failNoDirectory(path, logPath);
  return { ino, logPath };
}

function failNoDirectory(path: string, logPath: string): never {
  fail('ENOTDIR', `${path}: /${logPath} is a file, not a directory`, { path });
}

/** Follows symbolic links. The root of the volume is that of their targets, as for a process that is confined to the volume. */
function resolveLinks(tree: Names & Links, path: string, logPath: string, follow: boolean): Found {
  const left = logPath === '' ? [] : logPath.split('/').reverse();
  const walked: { ino: number; name: string }[] = [];
  const here = (): number => walked.at(-1)?.ino ?? ROOT_INO;
  const text = (name?: string): string =>
    [...walked.map((one) => one.name), ...(name ? [name] : [])].join('/');
  for (let links = 0; left.length > 0; ) {
    const name = left.pop()!;
    if (name === '' || name === '.') continue;
    if (name === '..') {
      walked.pop();
      continue;
    }
    if (!tree.isDirectory(here())) failNoDirectory(path, text());
    const ino = tree.child(here(), name);
    if (ino === NOBODY)
      fail(
        'ENOENT',
        left.length > 0 ? `${path}: its directory /${text(name)} does not exist` : `${path} does not exist`,
        { path },
      );
    const target = left.length > 0 || follow ? tree.linkTarget(ino) : null;
    if (target === null) {
      walked.push({ ino, name });
      continue;
    }
    if (++links > MOST_LINKS)
      fail('ELOOP', `${path} leads through more than ${MOST_LINKS} symbolic links`, { path });
    if (target.startsWith('/')) walked.length = 0;
    left.push(...target.split('/').reverse());
  }
  return { ino: here(), logPath: text() };
}

/** The inode of a file. @throws DaxError EISDIR; as find() */
export function fileAt(tree: Names, path: string): number {
  const { ino, logPath } = find(tree, path);
  if (tree.isDirectory(ino)) fail('EISDIR', `/${logPath} is a directory, not a file`, { path });
  return ino;
}

/** Whether a path exists. @throws DaxError EINVAL, ENAMETOOLONG for text that cannot be a path */
export function isThere(tree: FileTree, path: string): boolean {
  if (!tree.hasLinks) return tree.lookup(toTreePath(path)) !== NOBODY;
  try {
    find(tree, path);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return false;
    throw error;
  }
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
  const components = toTreePath(path).split('/').filter(Boolean);
  const missing: string[] = [];
  for (let count = 1; count <= components.length; count++) {
    const logPath = components.slice(0, count).join('/');
    const found = missing.length > 0 || !isThere(tree, logPath) ? null : find(tree, logPath);
    if (found === null) missing.push(logPath);
    else if (!tree.isDirectory(found.ino)) failNoDirectory(path, logPath);
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
  return namesIn(tree, found).map((name) => {
    const ino = tree.child(found.ino, name);
    const isDirectory = tree.isDirectory(ino);
    const isLink = tree.linkTarget(ino) !== null;
    return {
      name,
      parentPath,
      isFile: () => !isDirectory && !isLink,
      isDirectory: () => isDirectory,
      isSymbolicLink: () => isLink,
    };
  });
}

/** Walks the tree below a directory, names sorted. A directory comes before its content. A file yields itself. */
export function* walkTree(tree: FileTree, from: Found): IterableIterator<FileStat> {
  if (!tree.isDirectory(from.ino)) {
    yield statOf(tree, from);
    return;
  }
  const children = [...tree.entries(from.ino)];
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
  readonly type: InodeStat['type'];
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly ino: number;
  readonly nlink: number;
  readonly times: InodeStat['times'];

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
    this.nlink = stat.nlink;
    this.times = stat.times;
  }

  isFile(): boolean {
    return this.type === 'file';
  }

  isDirectory(): boolean {
    return this.type === 'directory';
  }

  isSymbolicLink(): boolean {
    return this.type === 'symlink';
  }
}
