import { fail, hasCode } from '../../libc/index.js';
import { type FileTree, ROOT_INO } from '../media/tree.js';
import type { MountedFamfs } from './mounted.js';
import { type PlaceInDirectory, rmdirIn, unlinkIn } from './name-changes.js';
import { NOBODY } from './names.js';
import { placeOfPath } from './new-name.js';

/** See Volume.rm. What is in a directory goes before it. */
export function removeTree(
  mounted: MountedFamfs,
  path: string,
  { recursive = false, force = false }: { recursive?: boolean; force?: boolean },
): void {
  const { tree } = mounted;
  const place = placeIfThere(tree, path, force);
  if (place === null) return;
  const ino = place.name === '' ? ROOT_INO : tree.child(place.directory, place.name);
  if (ino === NOBODY) {
    if (force) return;
    fail('ENOENT', `${path} does not exist`, { path });
  }
  if (!tree.isDirectory(ino)) {
    unlinkIn(mounted, place);
    return;
  }
  if (!recursive) fail('EISDIR', `${path} is a directory: say recursive`, { path, hint: 'recursive' });
  removeContent(mounted, ino, path);
  rmdirIn(mounted, place);
}

function placeIfThere(tree: FileTree, path: string, force: boolean): PlaceInDirectory | null {
  try {
    return placeOfPath(tree, path);
  } catch (error) {
    if (force && hasCode(error, 'ENOENT')) return null;
    throw error;
  }
}

function removeContent(mounted: MountedFamfs, directory: number, above: string): void {
  for (const { name, ino } of [...mounted.tree.entries(directory)]) {
    const path = above.endsWith('/') ? `${above}${name}` : `${above}/${name}`;
    const place = { directory, name, path };
    if (!mounted.tree.isDirectory(ino)) unlinkIn(mounted, place);
    else {
      removeContent(mounted, ino, path);
      rmdirIn(mounted, place);
    }
  }
}
