import os from 'node:os';
import path from 'node:path';
import { fail } from '../libc/errors.js';

/** The syntax of roots and device names. Nothing is opened here: the command line needs this before it loads anything else. */

/** The root of the kernel's own bus: `kernel:`, or `kernel:/some/tree` for another sysfs tree than /sys. */
export type KernelRoot = `kernel:${string}`;

export function isKernelRoot(root: string): root is KernelRoot {
  return root.startsWith('kernel:');
}

/** Returns the default of `--root`: $UDAX_ROOT, else `${XDG_STATE_HOME:-~/.local/state}/udax`. */
export function defaultRoot(): string {
  const { UDAX_ROOT } = process.env;
  return UDAX_ROOT ? absoluteRoot(UDAX_ROOT) : ownStateDirectory();
}

/** Makes a root independent of the working directory. @throws DaxError EINVAL an empty name is no directory */
export function absoluteRoot(root: string): string {
  if (root === '')
    fail('EINVAL', 'an empty name is no state directory: name one, or leave it out for the default');
  return isKernelRoot(root) ? root : path.resolve(root);
}

/** Where this host's state is: the root itself. The kernel's bus is no directory, so its state is in the user's own. */
export function stateDirectoryOf(root: string): string {
  return isKernelRoot(root) ? ownStateDirectory() : path.resolve(root);
}

function ownStateDirectory(): string {
  return path.join(process.env.XDG_STATE_HOME || path.join(os.homedir(), '.local', 'state'), 'udax');
}

/** True for `dax0.0`, a device of the machine. A file with such a name is given as `./dax0.0`. */
export function isDeviceName(where: string): boolean {
  return /^dax\d+\.\d+$/.test(where);
}
