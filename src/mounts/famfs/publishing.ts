import type { Volume } from '../../famfs/index.js';
import type { Names } from './names.js';
import type { NewNode } from './new-files.js';

/**
 * Puts one thing into the volume, with all that stat shows of it. Its directories are published already. It gets its first name in one
 * step with its content, also when something published has the name (rename over). Further names, times and attributes follow.
 */
export function publishMade(volume: Volume, names: Names, made: NewNode): void {
  const { inodes } = volume;
  const isNew = made.ino === null;
  const [first, ...others] = made.names;
  const ino =
    made.kind === 'symlink' ? inodes.publishSymlink(first!.kept, made.target, made) : made.growing.publish();
  first?.kept.release();
  try {
    for (const { kept } of others) {
      inodes.publishLink(kept, ino);
      kept.release();
    }
    if (isNew) for (const [name, value] of made.xattrs) inodes.setXattr(ino, name, value);
  } finally {
    for (const { kept } of others) kept.release();
    names.published(made, ino);
  }
}
