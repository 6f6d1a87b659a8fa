/** Finds the other owner of an overlapping extent. It makes one pass over the log, only when there are overlaps. */
import { hasCode } from '../../libc/index.js';
import { dataStart } from '../media/allocator.js';
import type { LogEntry } from '../media/entry.js';
import type { FamfsExtent } from '../media/fmap.js';
import type { Superblock } from '../media/layout.js';
import type { Log } from '../media/log.js';
import type { Problem } from '../media/problem.js';
import type { FileTree } from '../media/tree.js';

/** How many overlaps get their other owner named. */
const MAX_NAMED = 100;

/** Returns the problems, with the other owners named in the messages of overlaps. */
export function nameOverlaps(tree: FileTree, superblock: Superblock, problems: Problem[]): Problem[] {
  const overlaps = problems.filter(({ code }) => code === 'extent-overlap').slice(0, MAX_NAMED);
  if (overlaps.length === 0) return problems;
  const owners = findOwners(tree.log, superblock, overlaps);
  return problems.map((problem) => {
    const owner = owners.get(problem);
    return owner === undefined
      ? problem
      : { ...problem, message: `${problem.message}; also used by ${owner}` };
  });
}

function findOwners(log: Log, superblock: Superblock, overlaps: Problem[]): Map<Problem, string> {
  const owners = new Map<Problem, string>();
  const wanted = overlaps.map((problem) => ({ problem, extents: extentsOf(log, problem.entry!) }));
  for (const { problem, extents } of wanted) {
    const inFront = extents.some(({ devindex, offset }) => devindex === 0 && offset < dataStart(superblock));
    if (inFront) owners.set(problem, 'the superblock and log');
  }
  const last = Math.max(...overlaps.map(({ entry }) => entry!));
  for (let index = 0; index <= last; index++) {
    const entry = fileEntry(log, index);
    if (entry?.kind !== 'file') continue;
    for (const { problem, extents } of wanted) {
      if (owners.has(problem) || index >= problem.entry!) continue;
      if (extents.some((ours) => entry.fmap.extents.some((theirs) => doOverlap(ours, theirs)))) {
        owners.set(problem, `log entry ${index} ('${entry.path}')`);
      }
    }
  }
  return owners;
}

function extentsOf(log: Log, index: number): FamfsExtent[] {
  const entry = fileEntry(log, index);
  return entry?.kind === 'file' ? entry.fmap.extents : [];
}

/** The entry at `index`, or null when it is damaged. Its damage is already reported. */
function fileEntry(log: Log, index: number): LogEntry | null {
  try {
    return log.entry(index);
  } catch (error) {
    if (hasCode(error, 'EBADMSG')) return null;
    throw error;
  }
}

function doOverlap(a: FamfsExtent, b: FamfsExtent): boolean {
  return a.devindex === b.devindex && a.offset < b.offset + b.length && b.offset < a.offset + a.length;
}
