import type { Volume } from '../../famfs/index.js';
import type { Names } from './names.js';
import type { NewNode } from './new-files.js';

/**
 * Puts one thing into the volume. Its directories are published already. A file gets its first name together with its content, in one
 * step, also when the name is taken by something published (rename over). Its further names follow.
 */
export function publishMade(volume: Volume, names: Names, made: NewNode): void {
  void volume;
  if (made.kind !== 'symlink') names.published(made, made.growing.publish());
}
