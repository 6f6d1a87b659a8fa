/** What files take of a volume, and what a rewrite would give back. */
import type { FileTree } from '../media/tree.js';
import { type Found, statOf, walkTree } from './names.js';
import type { FileStat, VolumeUsage } from './types.js';

/** Bytes of published extents that no name reaches. The log alone takes no name back: there are none. */
export function reclaimableBytes(_tree: FileTree): number {
  return 0;
}

/** See Volume.usage. */
export function usageOf(tree: FileTree, found: Found): VolumeUsage {
  const usage: VolumeUsage = {
    path: `/${found.logPath}`,
    files: 0,
    directories: 0,
    bytes: 0,
    taken: 0,
    lostToRounding: 0,
    logEntries: 0,
  };
  const seen = new Set<number>();
  const add = (stat: FileStat): void => {
    if (seen.has(stat.ino)) return;
    seen.add(stat.ino);
    if (stat.isDirectory()) usage.directories++;
    else {
      const capacity = tree.fmap(stat.ino).extents.reduce((sum, { length }) => sum + length, 0);
      usage.files++;
      usage.bytes += stat.size;
      usage.taken += capacity;
      usage.lostToRounding += capacity - stat.size;
    }
    // The root has no entry.
    if (stat.path !== '/') usage.logEntries++;
  };
  const self = statOf(tree, found);
  add(self);
  if (self.isDirectory()) for (const stat of walkTree(tree, found)) add(stat);
  return usage;
}
