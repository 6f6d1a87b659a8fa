import { type FuseSession, startSession, workerFile } from '../../fuse/index.js';
import {
  callback,
  checkArguments,
  flag,
  oneOf,
  optional,
  options as optionsOf,
  text,
  type Wanted,
} from '../../libc/index.js';
import { absoluteRoot, defaultRoot } from '../../machine/index.js';
import { mustNotHideState } from '../places.js';
import type { SysfsMessage } from './file-system.js';

export const sysfsMountOptions: Wanted = optional(
  optionsOf({
    root: optional(text),
    allowOther: optional(flag),
    by: optional(oneOf('mount', 'fusermount3')),
    onWire: optional(callback),
    onReport: optional(callback),
    tellRefusals: optional(flag),
  }),
);

/** How an attribute tree is mounted. */
export interface SysfsMountOptions {
  /** State directory of the machine. Default: as everywhere ($UDAX_ROOT ...). */
  root?: string;
  /** Other users may use the mount too. Modes are checked either way. */
  allowOther?: boolean;
  by?: 'mount' | 'fusermount3';
  /** Called with each message to and from the kernel, as a line. */
  onWire?: (line: string) => void;
  /** Called with what goes wrong in the server. */
  onReport?: (error: Error) => void;
  /** Whether onReport is also called, once a kind, with the reasons of refused calls. Default: false. */
  tellRefusals?: boolean;
}

/** The data for the worker (structured clone). */
export interface SysfsMountData {
  root: string;
}

/**
 * Mounts the attribute tree of a machine: `bus/dax`, `devices`, `dev/char`, `module`, as the kernel has them under /sys. It is
 * readable and writable (docs/mount.md).
 * @throws DaxError as openMachine(); ENOENT, ENOTDIR for the directory; EPERM, EACCES mount rights
 */
export async function mountSysfsAt(
  mountpoint: string,
  options: SysfsMountOptions = {},
): Promise<FuseSession> {
  checkArguments('mountSysfsAt', [mountpoint, options], { mountpoint: text, options: sysfsMountOptions });
  const { allowOther = false, by, onWire, onReport } = options;
  const data: SysfsMountData = { root: absoluteRoot(options.root ?? defaultRoot()) };
  mustNotHideState(mountpoint, data.root);
  return startSession({
    mountpoint,
    mount: { source: 'udax-sysfs', subtype: 'udax', allowOther, defaultPermissions: true, ...(by && { by }) },
    connection: { readdirplus: 'never', cacheSymlinks: false },
    fileSystem: { moduleUrl: workerFile('mounts/sysfs/module.js', import.meta.url), data },
    ...(onWire && { onWire }),
    ...(onReport && { onReport }),
    tellRefusals: options.tellRefusals ?? false,
  });
}

/** Keeps the device nodes of a namespace equal to the devices of the machine from now on. Needs root. */
export async function keepDeviceNodes(session: FuseSession, dev: string): Promise<void> {
  const message: SysfsMessage = { deviceNodesIn: dev };
  await session.call(message);
}
