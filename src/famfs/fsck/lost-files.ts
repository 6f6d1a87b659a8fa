/** Finds the files that have lost memory: to failed pages, or because the file that backs the device was cut. */
import { DaxError } from '../../libc/index.js';
import { extentRanges, type FamfsExtent } from '../media/fmap.js';
import type { LostRange } from '../media/media.js';
import { type Problem, ProblemList } from '../media/problem.js';
import { type FileTree, ROOT_INO } from '../media/tree.js';

/** The first loss that touches a range, or null. */
export function lostIn(lost: readonly LostRange[], offset: number, length: number): LostRange | null {
  return lost.find((loss) => loss.offset < offset + length && offset < loss.offset + loss.length) ?? null;
}

/** How many files are not wholly in an image that is shorter than its device. */
export function filesPastEnd(tree: FileTree, imageEnd: number): number {
  let count = 0;
  for (let index = 0; index < tree.nextIndex; index++) {
    const extents = extentsOf(tree, index + ROOT_INO + 1);
    if (extents.some(({ devindex, offset, length }) => devindex === 0 && offset + length > imageEnd)) count++;
  }
  return count;
}

function extentsOf(tree: FileTree, ino: number): FamfsExtent[] {
  try {
    return tree.isDirectory(ino) ? [] : extentRanges(tree.fmapOfEntry(ino), 0, tree.entrySize(ino));
  } catch (error) {
    if (error instanceof DaxError) return [];
    throw error;
  }
}

/** One problem for each file that has lost bytes. `lost` is in order and disjoint. */
export function lostFiles(tree: FileTree, lost: readonly LostRange[]): Problem[] {
  const problems = new ProblemList();
  if (lost.length === 0) return [];
  for (let index = 0; index < tree.nextIndex; index++) {
    const problem = lostFile(tree, index, lost);
    if (problem !== null) problems.add(problem);
  }
  return problems.toArray();
}

function lostFile(tree: FileTree, index: number, lost: readonly LostRange[]): Problem | null {
  const ino = index + ROOT_INO + 1;
  try {
    if (tree.isDirectory(ino)) return null;
    const size = tree.entrySize(ino);
    const { bytes, first } = lossOf(tree, ino, size, lost);
    if (first === null) return null;
    const message = `log entry ${index} ('${tree.basePathOf(ino)}'): ${bytes} of its ${size} bytes are lost: ${first.why}`;
    return { code: 'file-memory', message, entry: index, offset: first.offset };
  } catch (error) {
    // Skipped entries have no inode. Their problems are already reported.
    if (error instanceof DaxError) return null;
    throw error;
  }
}

function lossOf(tree: FileTree, ino: number, size: number, lost: readonly LostRange[]) {
  let bytes = 0;
  let first: LostRange | null = null;
  for (const { devindex, offset, length } of extentRanges(tree.fmapOfEntry(ino), 0, size)) {
    if (devindex !== 0) continue;
    let here = 0;
    for (let i = firstThatMayTouch(lost, offset); i < lost.length && lost[i]!.offset < offset + length; i++) {
      const loss = lost[i]!;
      const overlap = Math.min(offset + length, loss.offset + loss.length) - Math.max(offset, loss.offset);
      if (overlap <= 0) continue;
      here += overlap;
      first ??= loss;
    }
    bytes += here;
  }
  return { bytes, first };
}

/** Index of the first loss that ends behind `offset`, by binary search: losses are in order and disjoint. */
function firstThatMayTouch(lost: readonly LostRange[], offset: number): number {
  let low = 0;
  let high = lost.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (lost[middle]!.offset + lost[middle]!.length > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}
