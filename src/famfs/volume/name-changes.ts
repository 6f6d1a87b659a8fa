/**
 * Changes names that are published: unlink, rmdir, rename, link, symlink. Each is one record of the annex, written within a session
 * after all checks. The errors, and their order, are those of Linux for the same calls.
 */
import { fail } from '../../libc/index.js';
import { MOST_TARGET_BYTES } from '../media/annex-layout.js';
import { encodeName } from '../media/path.js';
import { type FileTree, ROOT_INO } from '../media/tree.js';
import type { MountedFamfs } from './mounted.js';
import { checkName, refuseReserved } from './name-rules.js';
import { NOBODY } from './names.js';

/** A name in a published directory. */
export interface PlaceInDirectory {
  readonly directory: number;
  readonly name: string;
  /** For messages. */
  readonly path: string;
}

export interface RenameFlags {
  /** EEXIST when the new name exists. */
  noReplace?: boolean;
  /** Both names must exist, and change places. */
  exchange?: boolean;
}

interface OwnedBy {
  readonly uid: number;
  readonly gid: number;
}

/** Removes the name of what is no directory. */
export function unlinkIn(mounted: MountedFamfs, place: PlaceInDirectory): void {
  mounted.session(() => {
    const ino = existing(mounted.tree, place);
    const { directory, name, path } = place;
    if (mounted.tree.isDirectory(ino)) fail('EISDIR', `${path} is a directory: rmdir() removes it`, { path });
    mounted.annex.write({ kind: 'unbind', ino, directory, name });
  });
}

export function rmdirIn(mounted: MountedFamfs, place: PlaceInDirectory): void {
  mounted.session(() => {
    const ino = existing(mounted.tree, place);
    const { directory, name, path } = place;
    if (!mounted.tree.isDirectory(ino))
      fail('ENOTDIR', `${path} is no directory: unlink() removes it`, { path });
    mustBeEmpty(mounted.tree, ino, path);
    mounted.annex.write({ kind: 'unbind', ino, directory, name });
  });
}

export function renameIn(
  mounted: MountedFamfs,
  from: PlaceInDirectory,
  to: PlaceInDirectory,
  { noReplace = false, exchange = false }: RenameFlags = {},
): void {
  if (noReplace && exchange)
    fail('EINVAL', 'a rename that replaces nothing exchanges nothing', { path: to.path });
  mounted.session(() => {
    const { tree } = mounted;
    const ino = existing(tree, from);
    const replaced = child(tree, to);
    refuseReserved(to.directory, to.name, to.path);
    mounted.assertNameIsOurs(treePathOf(tree, to));
    if (noReplace && replaced !== NOBODY) fail('EEXIST', `${to.path} exists already`, { path: to.path });
    if (exchange && replaced === NOBODY)
      fail('ENOENT', `${to.path} does not exist: nothing to exchange`, { path: to.path });
    refuseCycles(tree, from, to, ino, replaced, exchange);
    if (replaced === ino) return;
    const move = {
      ino,
      directory: from.directory,
      name: from.name,
      newDirectory: to.directory,
      newName: to.name,
    };
    if (exchange) mounted.annex.write({ kind: 'exchange', ...move, other: replaced });
    else {
      if (replaced !== NOBODY) mayReplace(tree, ino, replaced, to.path);
      mounted.annex.write({ kind: 'rename', ...move, replaced: Math.max(0, replaced) });
    }
  });
}

function refuseCycles(
  tree: FileTree,
  from: PlaceInDirectory,
  to: PlaceInDirectory,
  ino: number,
  replaced: number,
  exchange: boolean,
): void {
  if (isIn(tree, to.directory, ino))
    fail('EINVAL', `${from.path} cannot be moved into itself (${to.path})`, { path: from.path });
  if (replaced === NOBODY || !isIn(tree, from.directory, replaced)) return;
  if (exchange) fail('EINVAL', `${to.path} cannot be moved into itself (${from.path})`, { path: to.path });
  fail('ENOTEMPTY', `${to.path} is a directory that holds ${from.path}`, { path: to.path });
}

/** Whether what has a name may lose it to another object, as rename(2) has it. */
export function mayReplace(tree: FileTree, by: number, replaced: number, path: string): void {
  const isDirectory = tree.isDirectory(replaced);
  if (tree.isDirectory(by) && !isDirectory)
    fail('ENOTDIR', `${path} is no directory: a directory cannot replace it`, { path });
  if (!tree.isDirectory(by) && isDirectory)
    fail('EISDIR', `${path} is a directory: a file cannot replace it`, { path });
  if (isDirectory) mustBeEmpty(tree, replaced, path);
}

/** Gives a file or symbolic link one more name. */
export function linkIn(mounted: MountedFamfs, ino: number, to: PlaceInDirectory): void {
  mounted.session(() => {
    const { tree } = mounted;
    const { directory, name, path } = to;
    const { type, nlink } = tree.stat(ino);
    mustBeFree(mounted, to);
    if (type === 'directory') fail('EPERM', `${path}: directories have one name only`, { path });
    if (nlink === 0) fail('ENOENT', `${path}: what it should name was removed`, { path });
    mounted.annex.write({ kind: 'bind', ino, directory, name, replaced: 0 });
  });
}

/** Makes a symbolic link. @returns its inode number */
export function symlinkIn(
  mounted: MountedFamfs,
  target: string,
  to: PlaceInDirectory,
  owner: OwnedBy,
): number {
  const { directory, name, path } = to;
  if (target === '') fail('ENOENT', `${path}: a symbolic link to nothing`, { path });
  if (target.includes('\0')) fail('EINVAL', `${path}: the target holds a NUL character`, { path });
  if (encodeName(target).length > MOST_TARGET_BYTES)
    fail('ENAMETOOLONG', `${path}: a target has at most ${MOST_TARGET_BYTES} bytes`, { path });
  return mounted.session(() => {
    mustBeFree(mounted, to);
    mounted.annex.write({ kind: 'make', directory, name, target, mode: 0o777, ...owner, replaced: 0 });
    return mounted.tree.child(directory, name);
  });
}

function child(tree: FileTree, { directory, name, path }: PlaceInDirectory): number {
  checkName(name, path);
  if (!tree.isDirectory(directory)) fail('ENOTDIR', `${path}: its directory is a file`, { path });
  return tree.child(directory, name);
}

/** @throws DaxError ENOENT, ENOTDIR, EINVAL, ENAMETOOLONG, EBUSY the root */
function existing(tree: FileTree, place: PlaceInDirectory): number {
  const { path } = place;
  if (place.name === '') fail('EBUSY', `${path} is the root directory: it stays`, { path });
  const ino = child(tree, place);
  if (ino === NOBODY) fail('ENOENT', `${path} does not exist`, { path });
  return ino;
}

function mustBeFree(mounted: MountedFamfs, place: PlaceInDirectory): void {
  const { tree } = mounted;
  const { path } = place;
  if (child(tree, place) !== NOBODY || place.name === '') fail('EEXIST', `${path} exists already`, { path });
  refuseReserved(place.directory, place.name, path);
  mounted.assertNameIsOurs(treePathOf(tree, place));
}

function mustBeEmpty(tree: FileTree, directory: number, path: string): void {
  if (tree.children(directory).next().done === true) return;
  fail('ENOTEMPTY', `${path} is a directory with something in it: remove that first`, {
    path,
    hint: 'recursive',
  });
}

function isIn(tree: FileTree, directory: number, above: number): boolean {
  for (let at = directory; ; at = tree.parentOf(at)) {
    if (at === above) return true;
    if (at === ROOT_INO) return false;
  }
}

/** As reserveName() knows it. */
function treePathOf(tree: FileTree, { directory, name }: PlaceInDirectory): string {
  const above = tree.pathOf(directory);
  return above === '' ? name : `${above}/${name}`;
}
