/**
 * udax: the Linux DAX stack in user space. The public face: it composes what crosses layers.
 *
 *   const volume = openVolume('./pool', { size: '1GiB' })       // finds or makes all of it; or step by step:
 *
 *   const machine = openMachine('./pool', { create: true })
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
  mediaState,
  mountFamfsOn,
  type Superblock,
  systemUuidIfAny,
  type TakeOverOptions,
  type TakeOverResult,
  takeOver as takeOverMedia,
  type Volume,
} from './famfs/index.js';
import {
  callback,
  checkArguments,
  either,
  fail,
  flag,
  hasCode,
  type LockPatience,
  number,
  objectWith,
  oneOf,
  optional,
  patienceIn,
  size,
  text,
  waitForLock,
  options as wanted,
} from './libc/index.js';
import {
  defaultRoot,
  isKernelRoot,
  type Machine,
  type MachineDevice,
  openDevice,
  openMachine,
} from './machine/index.js';

export {
  type BucketReport,
  type CapacityReport,
  type CopyOptions,
  type CopyProgress,
  type CreateOptions,
  type CreateQueueOptions,
  createQueue,
  type Daxdev,
  type DirectoryEntry,
  type FamfsExtent,
  type FileContent,
  type FileLock,
  type FileStat,
  type Fmap,
  type FormatOptions,
  type FsckOptions,
  type FsckReport,
  type LogReport,
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
  type ReadonlyUint8Array,
  type ReadonlyView,
  type Role,
  type Stripe,
  type Superblock,
  type TakeOverOptions,
  type TakeOverResult,
  type ViewConstructor,
  type ViewPin,
  Volume,
  type VolumeEvents,
  VolumeFile,
  type VolumeFs,
  type VolumeStatfs,
  VolumeWatcher,
  type WaitOptions,
  type WatchEvent,
  type WatchOptions,
  type WindowOptions,
  type WriteOptions,
} from './famfs/index.js';
export { DaxError, type DaxErrorDetails, type ErrnoCode, type LockPatience } from './libc/index.js';
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
  type OpenKernelOptions,
  openDevice,
  openKernel,
  openMachine,
  type PoisonRange,
  parseSize,
  type RegionInfo,
  type RegionSummary,
} from './machine/index.js';
export { daxctl, daxctlList, daxctlListOf, Sysfs, sysfs } from './tree/index.js';

/** A device of a machine, or the path of a device node or an image file. */
export type DeviceLike = MachineDevice | string;

const deviceLike = either(text, objectWith('a device of a machine', 'hold', 'dax'));
const lockPatience = { lockWaitMs: optional(number), onLockWait: optional(callback) };
const mountOptions = {
  role: optional(oneOf('master', 'client')),
  readOnly: optional(flag),
  clientWrites: optional(flag),
  salvage: optional(flag),
  purpose: optional(text),
  ...lockPatience,
};
const openVolumeOptions = wanted({ size: optional(size), name: optional(text), ...mountOptions });
const mkfsOptions = wanted({
  systemUuid: optional(text),
  force: optional(flag),
  kill: optional(flag),
  logLength: optional(number),
  deviceName: optional(text),
  uuids: optional(wanted({ fileSystem: text, device: text })),
});
const takeOverOptions = wanted({ systemUuid: optional(text), from: optional(text), force: optional(flag) });
const fsckOptions = wanted({ systemUuid: optional(text), buckets: optional(number) });

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
  checkArguments('mkfs', [device, options], { device: deviceLike, options: mkfsOptions });
  return withHeldDevice(device, 'mkfs', { writable: true, exclusive: true }, (held) => {
    const media = deviceMedia(held);
    try {
      const superblock = formatMedia(media, {
        ...options,
        systemUuid: options.systemUuid ?? held.systemUuid,
      });
      // Failed memory under the metadata was zeroed and is good again: looking at the device tells the other processes.
      void held.dax;
      return superblock;
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
  checkArguments('takeOver', [device, options], { device: deviceLike, options: takeOverOptions });
  return withHeldDevice(device, 'take-over', { writable: true, exclusive: true }, (held) => {
    const media = deviceMedia(held);
    try {
      return takeOverMedia(media, { ...options, systemUuid: options.systemUuid ?? held.systemUuid });
    } finally {
      media.close();
    }
  });
}

/**
 * Checks a famfs without writing anything.
 * @returns what is wrong (`errors`), what is only remarkable (`notes`), and the figures
 */
export function fsck(device: DeviceLike, options: FsckOptions = {}): FsckReport {
  checkArguments('fsck', [device, options], { device: deviceLike, options: fsckOptions });
  return withHeldDevice(device, 'fsck', { writable: false, exclusive: false }, (held) => {
    const media = deviceMedia(held);
    try {
      const systemUuid = options.systemUuid ?? systemUuidIfAny(held);
      return fsckMedia(media, { ...options, ...(systemUuid !== undefined && { systemUuid }) });
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
  checkArguments('mountFamfs', [device, options], { device: deviceLike, options: wanted(mountOptions) });
  if (typeof device !== 'string') return mountFamfsOn(device, options);
  const opened = openDevice(device, { ...(options.readOnly && { writable: false }), ...patienceIn(options) });
  try {
    return mountFamfsOn(closedWithItsHold(opened), options);
  } catch (error) {
    opened.close();
    throw error;
  }
}

export interface OpenVolumeOptions extends MountOptions {
  /** Of the memory, when there is none yet: bytes, or text like `1GiB`. */
  size?: number | string;
  /** The device to use, `dax0.0`. Default: the first in famfs mode. */
  name?: string;
}

/**
 * The volume of a state directory, in one call: what is missing is made (the machine, a region of `size`, famfs mode, the file
 * system), what is there is kept. Any number of processes may do this at once: give those that make it some patience (`lockWaitMs`). The volume's close() closes all of it.
 * @param root a directory; default as openMachine()
 * @throws EINVAL there is no volume yet and no size was said; ENODEV no device of that name; ENXIO it is in another
 *   mode; as openMachine(), Machine.createRegion() (ENOSPC, EACCES), mkfs() and mountFamfs()
 */
export function openVolume(root: string = defaultRoot(), options: OpenVolumeOptions = {}): Volume {
  checkArguments('openVolume', [root, options], { root: text, options: openVolumeOptions });
  const { size, name, ...mount } = options;
  if (isKernelRoot(root)) {
    fail('EINVAL', `${root} is no directory: mountFamfs('/dev/dax0.0') mounts a device of the kernel`);
  }
  const machine = openMachine(root, { create: size !== undefined, ...patienceIn(mount) });
  try {
    const device = machine.device(name ?? famfsDevice(machine, size));
    const opened = Object.assign(device, { close: () => machine.close() });
    return whenNoLongerMade(device.name, mount, () => {
      if (!mount.readOnly) makeFileSystemIfNone(device);
      return mountFamfsOn(closedWithItsHold(opened), mount);
    });
  } catch (error) {
    machine.close();
    throw error;
  }
}

/** Found, or made in one change: of several processes one makes it. */
function famfsDevice(machine: Machine, size: number | string | undefined): string {
  const find = (): string | undefined =>
    machine.devices().find(({ mode, state }) => mode === 'famfs' && state === 'enabled')?.name;
  const found = find();
  if (found !== undefined) return found;
  if (size === undefined) {
    fail(
      'EINVAL',
      `no device of the machine at ${machine.root} is in famfs mode: say how big a new one is to be, { size: '1GiB' }, or name one`,
      { path: machine.root },
    );
  }
  return machine.change(() => {
    const made = find();
    if (made !== undefined) return made;
    const [name] = machine.createRegion({ size }).devices;
    return machine.reconfigure(name!, 'famfs').name;
  });
}

/** Another process may be making the file system just now: it is there in a moment. @throws EBUSY it is not */
function whenNoLongerMade<T>(name: string, patience: LockPatience, act: () => T): T {
  let result: { value: T } | undefined;
  let refusal: unknown;
  const attempt = (): boolean => {
    try {
      result = { value: act() };
      return true;
    } catch (error) {
      if (!hasCode(error, 'EBUSY')) throw error;
      refusal = error;
      return false;
    }
  };
  waitForLock(attempt, `the file system of ${name}`, patience);
  if (result) return result.value;
  throw refusal;
}

function makeFileSystemIfNone(device: MachineDevice): void {
  if (hasFileSystem(device)) return;
  try {
    mkfs(device);
  } catch (error) {
    // Somebody else has just made one.
    if (!hasCode(error, 'EEXIST')) throw error;
  }
}

/** Whether a famfs is there; also true of a damaged one: that is for its owner to look at. */
function hasFileSystem(device: MachineDevice): boolean {
  const media = deviceMedia(device);
  try {
    return mediaState(media) !== 'none';
  } finally {
    media.close();
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
