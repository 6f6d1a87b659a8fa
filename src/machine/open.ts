import os from 'node:os';
import path from 'node:path';
import { ImageDevice } from './image.js';
import { Machine } from './machine.js';
import type { MachineDevice } from './types.js';

/** `--root`'s default: $UDAX_ROOT, else `${XDG_STATE_HOME:-~/.local/state}/udax`. */
export function defaultRoot(): string {
  const { UDAX_ROOT, XDG_STATE_HOME } = process.env;
  if (UDAX_ROOT) return path.resolve(UDAX_ROOT);
  return path.join(XDG_STATE_HOME || path.join(os.homedir(), '.local', 'state'), 'udax');
}

/**
 * Opens the machine of a state directory, and makes it (three modules loaded, no region) on first use.
 * A directory this user may only read gives a machine that lists and refuses changes.
 * @throws EACCES EROFS ENOTDIR naming the directory; EIO damaged machine.json; EOPNOTSUPP written by a newer udax
 */
export function openMachine(root: string = defaultRoot()): Machine {
  return new Machine(path.resolve(root));
}

/** True for `dax0.0`: a device of the machine. A file of such a name is reached as `./dax0.0`. */
export function isDeviceName(where: string): boolean {
  return /^dax\d+\.\d+$/.test(where);
}

/**
 * A DEVICE as the command line means it: a name (`dax0.0`) on the machine at `root`, a device node or an image file.
 * File and node get a private machine in memory, with one static region in famfs mode; an image that is shorter than
 * its superblock says reads zeroes beyond its end.
 * @param options writable: false opens files for reading only; default as this user may
 * @throws ENODEV, ENOENT, EACCES, EISDIR, EINVAL
 */
export function openDevice(
  where: string,
  options: { root?: string; writable?: boolean } = {},
): MachineDevice & { close(): void } {
  const root = path.resolve(options.root ?? defaultRoot());
  if (isDeviceName(where)) return openNamed(where, root);
  return ImageDevice.open(where, {
    root,
    ...(options.writable === undefined ? {} : { writable: options.writable }),
  });
}

function openNamed(name: string, root: string): MachineDevice & { close(): void } {
  const machine = openMachine(root);
  try {
    return Object.assign(machine.device(name), { close: () => machine.close() });
  } catch (error) {
    machine.close();
    throw error;
  }
}
