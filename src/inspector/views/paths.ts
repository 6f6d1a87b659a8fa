/** Files by inode number, and back. */
import type { FileTree, Fmap } from '../../famfs/index.js';
import { fmapCapacity } from '../../famfs/index.js';
import { fail, isError } from '../../libc/index.js';
import type { Looked } from './looked.js';

/** A path to show: of what has no name any more, the one it was made with. */
export function shownPath({ survey }: Looked, ino: number): string {
  const { tree } = survey;
  const isNamed = tree.stat(ino).nlink > 0;
  const path = isNamed ? tree.pathOf(ino) : (tree.basePathOf(ino) ?? '');
  return `/${path}`;
}

/** The inode of a path. @throws DaxError ENOENT */
export function inodeAt(tree: FileTree, path: string): number {
  const ino = tree.lookup(path);
  return ino < 0 ? fail('ENOENT', `${path} is not on the volume`, { path }) : ino;
}

/** The map of a file, and how much it can hold. Null for what is no file, and when its entry cannot be read. */
export function extentsOf(tree: FileTree, ino: number): { fmap: Fmap; capacity: number } | null {
  try {
    const { type } = tree.stat(ino);
    if (type !== 'file') return null;
    const fmap = tree.fmap(ino);
    return { fmap, capacity: fmap.extents.length === 0 ? 0 : fmapCapacity(fmap) };
  } catch (error) {
    if (isError(error)) return null;
    throw error;
  }
}
