/** Decides whether a mount can be a zero-copy one, and gets the device ready for it. */
import { openSync } from 'node:fs';
import { probeExtentMaps } from '../../../fuse/index.js';
import { asDaxError, fail, hasCode } from '../../../libc/index.js';
import {
  type BorrowedMode,
  isDeviceName,
  isKernelRoot,
  type KernelDeviceInfo,
  kernelDeviceOf,
  openKernel,
} from '../../../machine/index.js';

/** When a mount hands the device to the kernel. */
export type ZeroCopy = 'auto' | 'always' | 'never';

/** A kernel's dax device in famfs mode, for the worker (structured clone). */
export interface ZeroCopyDevice {
  readonly node: string;
  readonly size: number;
  readonly persistent: boolean;
}

/** A device in famfs mode, ready for a zero-copy mount. */
export interface ReadyDevice extends ZeroCopyDevice {
  /** Puts the mode back that the device had. Call it when the kernel has given the device up. @throws DaxError EBUSY it has not */
  restore(): void;
}

export interface WantedMount {
  /** A name, a node or a file, as the user gave it. */
  readonly device: string;
  readonly root: string;
  readonly stateDirectory: string;
  readonly by: 'mount' | 'fusermount3' | undefined;
}

/** The kernel's device of that name or node; null when it is other memory. */
export function realDevice({ device, root }: Pick<WantedMount, 'device' | 'root'>): KernelDeviceInfo | null {
  if (isDeviceName(device)) return isKernelRoot(root) ? kernelDeviceOf(`/dev/${device}`) : null;
  try {
    return kernelDeviceOf(device);
  } catch (error) {
    // Opening it will say why it cannot be reached.
    if (hasCode(error, 'EACCES', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG')) return null;
    throw error;
  }
}

/**
 * Puts the device into famfs mode, when everything else is there: nothing is changed where the mount could not be made.
 * @throws DaxError EOPNOTSUPP no device of the kernel, or a kernel without extent maps; EPERM not root; and what changing the mode
 *   throws (EBUSY naming the users, ENOENT no fsdev_dax)
 */
export function readyForZeroCopy(wanted: WantedMount): ReadyDevice {
  const info = realDevice(wanted);
  const path = wanted.device;
  if (info === null)
    fail('EOPNOTSUPP', `${path} is no dax device of this kernel: only those can be handed to it`, { path });
  if (process.geteuid?.() !== 0 || wanted.by === 'fusermount3')
    fail('EPERM', `${path}: handing a dax device to the kernel needs root (CAP_SYS_RAWIO, and mount(2))`, {
      path,
    });
  if (!probeExtentMaps().isOffered)
    fail('EOPNOTSUPP', 'this kernel offers no extent maps to FUSE: Linux 7.4 and later do', { path });
  const { node, size, persistent, name } = info;
  const root = isKernelRoot(wanted.root) ? wanted.root : 'kernel:';
  const machine = openKernel(root, { stateDirectory: wanted.stateDirectory });
  let borrowed: BorrowedMode;
  try {
    borrowed = machine.borrowMode(name, 'famfs');
    machine.close();
  } catch (error) {
    machine.close();
    throw error;
  }
  return { node, size, persistent, restore: () => borrowed.restore() };
}

/** Opens the node in famfs mode. Its descriptor shows other programs that the device is used. */
export function openNode(node: string, writable: boolean): number {
  try {
    return openSync(node, writable ? 'r+' : 'r');
  } catch (error) {
    throw asDaxError(error, `${node} cannot be opened`, node);
  }
}
