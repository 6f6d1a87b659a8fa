/**
 * udax: the Linux DAX stack in user space. The public face: it composes what crosses layers.
 *
 *   const machine = openMachine('./pool')
 *   machine.createRegion({ size: '1GiB' })
 *   machine.reconfigure('dax0.0', 'famfs')
 *   mkfs(machine.device('dax0.0'))
 *   const volume = mountFamfs(machine.device('dax0.0'))
 *
 * Wherever a device is asked for, text is taken too: a device node (`/dev/dax0.0`) or an image file (`pool.img`).
 * Every error is a {@link DaxError} with the kernel's errno.
 */
import {
  deviceMedia,
  type FormatOptions,
  type FsckOptions,
  type FsckReport,
  formatMedia,
  fsckMedia,
  type MountOptions,
  mountFamfsOn,
  type Superblock,
  systemUuidIfAny,
  type TakeOverOptions,
  type TakeOverResult,
  takeOver as takeOverMedia,
  type Volume,
} from './famfs/index.js';
import { type MachineDevice, openDevice } from './machine/index.js';

export {
  type CopyOptions,
  type CopyProgress,
  type CreateOptions,
  type CreateQueueOptions,
  createQueue,
  type FileLock,
  type FileStat,
  type Fmap,
  type FsckReport,
  type MapOptions,
  type MkdirOptions,
  type MountOptions,
  type OpenOptions,
  openQueue,
  type Problem,
  Queue,
  type QueueInfo,
  type QueueOptions,
  type QueueRole,
  queueInfo,
  type Superblock,
  type TakeOverResult,
  type ViewPin,
  Volume,
  VolumeFile,
  type VolumeFs,
  type VolumeStatfs,
  VolumeWatcher,
  type WatchEvent,
  type WatchOptions,
} from './famfs/index.js';
export { DaxError, type ErrnoCode } from './libc/index.js';
export {
  type BorrowedMode,
  type CreateRegionOptions,
  type DaxMachine,
  type DeviceInfo,
  type DeviceMode,
  defaultRoot,
  type HolderInfo,
  type KernelDeviceInfo,
  KernelMachine,
  type KernelRegionInfo,
  type KernelRoot,
  type KernelStatus,
  Machine,
  type MachineDevice,
  type MachineStatus,
  type MemoryNodeHandle,
  type NodeBuffer,
  type OpenDax,
  openDevice,
  openMachine,
  type PoisonRange,
  parseSize,
  type RegionInfo,
  type RegionSummary,
} from './machine/index.js';
export { daxctl, daxctlList, daxctlListOf, Sysfs, sysfs } from './sysfs/index.js';

/** A device of a machine, or the path of a device node or an image file. */
export type DeviceLike = MachineDevice | string;

export interface MkfsOptions extends Omit<FormatOptions, 'systemUuid'> {
  /** Owner of the new file system; default: this host. */
  systemUuid?: string;
}

/**
 * Makes a famfs on a device in famfs mode (mirrors mkfs.famfs).
 * @returns the new superblock; null after `{ force: true, kill: true }`
 * @throws EBUSY somebody holds the device; EEXIST there is a file system (force overwrites it); EPERM it belongs to
 *   another host; EINVAL log length or device size; EROFS the memory is read-only
 */
export function mkfs(device: DeviceLike, options: MkfsOptions = {}): Superblock | null {
  return withHeldDevice(device, 'mkfs', { writable: true, exclusive: true }, (held) => {
    const media = deviceMedia(held);
    try {
      return formatMedia(media, { systemUuid: held.systemUuid, ...options });
    } finally {
      media.close();
    }
  });
}

/**
 * Makes this host the owner of a famfs that another host made: from then on this one writes, and the other does not.
 * famfs cannot tell whether the old owner still lives. Two that write destroy the file system: name the old owner
 * (`from`), which says that you know it is gone, or force it. A take-over that was cut short is completed by another.
 * @throws EPERM neither named nor forced; EINVAL another owner than named; EBUSY somebody of this host has it open;
 *   EBADMSG damaged superblock; EROFS the memory is read-only
 */
export function takeOver(
  device: DeviceLike,
  options: Omit<TakeOverOptions, 'systemUuid'> & { systemUuid?: string } = {},
): TakeOverResult {
  return withHeldDevice(device, 'take-over', { writable: true, exclusive: true }, (held) => {
    const media = deviceMedia(held);
    try {
      return takeOverMedia(media, { systemUuid: held.systemUuid, ...options });
    } finally {
      media.close();
    }
  });
}

/**
 * Checks a famfs without writing anything.
 * @returns what is wrong (`errors`), what is only remarkable (`notes`), and the figures
 */
export function fsck(device: DeviceLike, options: Omit<FsckOptions, 'systemUuid'> = {}): FsckReport {
  return withHeldDevice(device, 'fsck', { writable: false, exclusive: false }, (held) => {
    const media = deviceMedia(held);
    try {
      const systemUuid = systemUuidIfAny(held);
      return fsckMedia(media, { ...(systemUuid === undefined ? {} : { systemUuid }), ...options });
    } finally {
      media.close();
    }
  });
}

/**
 * Mounts a famfs: replays its log and hands out its files. Any number of processes may mount one device.
 * The volume's close() also closes a device that was named by its path.
 * @throws EINVAL no famfs; EBADMSG damaged superblock or log; EOPNOTSUPP other version; ENXIO not in famfs mode
 */
export function mountFamfs(device: DeviceLike, options: MountOptions = {}): Volume {
  if (typeof device !== 'string') return mountFamfsOn(device, options);
  const opened = openDevice(device, options.readOnly ? { writable: false } : {});
  try {
    return mountFamfsOn(closedWithItsHold(opened), options);
  } catch (error) {
    opened.close();
    throw error;
  }
}

type OpenedDevice = ReturnType<typeof openDevice>;

/** The volume holds its device as long as it lives; a device opened for it alone ends with that hold. */
function closedWithItsHold(opened: OpenedDevice): MachineDevice {
  return {
    name: opened.name,
    get dax() {
      return opened.dax;
    },
    // Asked for only when needed: making one may fail, which a reader need not mind.
    get systemUuid() {
      return opened.systemUuid;
    },
    writable: opened.writable,
    reservations: opened.reservations,
    hold(purpose, options) {
      const hold = opened.hold(purpose, options);
      return {
        release() {
          hold.release();
          opened.close();
        },
      };
    },
  };
}

function withHeldDevice<T>(
  device: DeviceLike,
  purpose: string,
  { writable, exclusive }: { writable: boolean; exclusive: boolean },
  use: (device: MachineDevice) => T,
): T {
  if (typeof device === 'string') {
    const opened = openDevice(device, { writable });
    try {
      return withHeldDevice(opened, purpose, { writable, exclusive }, use);
    } finally {
      opened.close();
    }
  }
  const hold = device.hold(purpose, { exclusive });
  try {
    return use(device);
  } finally {
    hold.release();
  }
}
