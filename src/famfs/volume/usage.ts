/** What files take of a volume. */
import { ANNEX_INO_START } from '../media/annex-layout.js';
import type { FileTree } from '../media/tree.js';
import { type Found, statOf, walkTree } from './names.js';
import type { FileStat, VolumeUsage } from './types.js';

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
    else if (stat.isFile()) {
      // An empty file is one of the annex, and has no extents.
      const extents = stat.size > 0 ? tree.fmap(stat.ino).extents : [];
      const capacity = extents.reduce((sum, { length }) => sum + length, 0);
      usage.files++;
      usage.bytes += stat.size;
      usage.taken += capacity;
      usage.lostToRounding += capacity - stat.size;
    }
    // The root has no entry, nor has what only an annex can say.
    if (stat.path !== '/' && stat.ino < ANNEX_INO_START) usage.logEntries++;
  };
  const self = statOf(tree, found);
  add(self);
  if (self.isDirectory()) for (const stat of walkTree(tree, found)) add(stat);
  return usage;
}
