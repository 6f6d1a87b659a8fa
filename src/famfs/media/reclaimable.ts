/** Which log entries no name reaches any more. Their space comes back with a rewrite. */
import { DaxError } from '../../libc/index.js';
import { AllocationMap } from './allocation-map.js';
import type { FamfsExtent } from './fmap.js';
import { type FileTree, inodeOfEntry } from './tree.js';

/**
 * The inode numbers of log entries that nothing with a name is, or has as its content. Annexes and the directory of objects do not
 * count.
 */
export function namelessInodes(tree: FileTree): number[] {
  const { annex } = tree;
  if (annex === null) return [];
  const { names } = annex;
  const used = new Set([names.objects, ...annex.files.map(({ place }) => place.ino)]);
  const use = (ino: number): void => void (names.hasName(ino) && used.add(names.contentOf(ino)));
  for (const ino of names.made.keys()) use(ino);
  const all: number[] = [];
  for (let index = 0; index < tree.nextIndex; index++) {
    const ino = inodeOfEntry(index);
    if (!tree.has(ino)) continue;
    use(ino);
    all.push(ino);
  }
  return all.filter((ino) => !used.has(ino));
}

interface Known {
  position: number;
  bytes: number;
}
const known = new WeakMap<FileTree, Known>();

/** Bytes of the device, in whole units, that published extents take and no name reaches. */
export function reclaimableBytes(tree: FileTree, unit: number): number {
  if (tree.annex === null) return 0;
  const { position } = tree;
  const before = known.get(tree);
  if (before?.position === position) return before.bytes;
  const bytes = countUnits(tree, unit) * unit;
  known.set(tree, { position, bytes });
  return bytes;
}

function countUnits(tree: FileTree, unit: number): number {
  const lost = namelessInodes(tree);
  const extents = lost.flatMap((ino) => extentsOf(tree, ino));
  if ((tree.usage?.collisions ?? 0) === 0) return extents.reduce((sum, { length }) => sum + length, 0) / unit;
  // Clones share units: those of which another owner has a name stay in use.
  const map = new AllocationMap(tree.usage!.primary.units);
  for (const { offset, length } of extents) map.set(offset / unit, length / unit);
  const isLost = new Set(lost);
  for (let index = 0; index < tree.nextIndex; index++) {
    const ino = inodeOfEntry(index);
    if (isLost.has(ino)) continue;
    for (const { offset, length } of extentsOf(tree, ino)) map.clear(offset / unit, length / unit);
  }
  return map.countSet();
}

function extentsOf(tree: FileTree, ino: number): FamfsExtent[] {
  try {
    if (!tree.has(ino) || tree.isDirectory(ino)) return [];
    return tree.fmapOfEntry(ino).extents.filter(({ devindex }) => devindex === 0);
  } catch (error) {
    if (error instanceof DaxError) return [];
    throw error;
  }
}
