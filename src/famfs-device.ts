/** Operations on a famfs whose device is a machine's device or is given by a path. */
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
import {
  asDaxError,
  callback,
  checkArguments,
  either,
  flag,
  number,
  objectWith,
  oneOf,
  optional,
  patienceIn,
  text,
  options as wanted,
  withDaxErrors,
} from './libc/index.js';
import { type MachineDevice, openDevice } from './machine/index.js';

/** A device of a machine, or the path of a device node or an image file. */
export type DeviceLike = MachineDevice | string;

const deviceLike = either(text, objectWith('a device of a machine', 'hold', 'dax'));
const lockPatience = { lockWaitMs: optional(number), onLockWait: optional(callback) };
export const mountOptions = {
  role: optional(oneOf('master', 'client')),
  readOnly: optional(flag),
  clientWrites: optional(flag),
  salvage: optional(flag),
  plain: optional(flag),
  purpose: optional(text),
  ...lockPatience,
};
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

/** How mkfs() makes a file system. */
export interface MkfsOptions extends Omit<FormatOptions, 'systemUuid'> {
  /** Owner of the new file system. Default: this host. */
  systemUuid?: string;
}

/**
 * Makes a famfs on a device in famfs mode (mirrors mkfs.famfs).
 * @returns the new superblock; null after `{ force: true, kill: true }`
 * @throws DaxError EBUSY somebody holds the device; EEXIST there is a file system (force overwrites it); EPERM it belongs to
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
      // mkfs zeroed failed memory under the metadata, which makes it good again. Reading `dax` tells the other processes.
      void held.dax;
      return superblock;
    } finally {
      media.close();
    }
  });
}

/**
 * Makes this host the owner of a famfs that another host made. From then on this host writes, and the old owner does not.
 * famfs cannot tell whether the old owner still runs, and two writing hosts destroy the file system. So the caller names the old
 * owner (`from`), which says that it is known to be gone, or forces the take-over. Another take-over completes one that was cut
 * short.
 * @throws DaxError EPERM neither named nor forced; EINVAL the owner is another than the one named; EBUSY a process of this host
 *   has the device open; EBADMSG damaged superblock; EROFS the memory is read-only
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
 * @returns what is wrong (`errors`), what is unusual but not wrong (`notes`), and the figures
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
 * Mounts a famfs: replays its log and gives access to its files. Any number of processes may mount one device.
 * When `device` is a path, the volume's close() also closes the device.
 * @throws DaxError EINVAL no famfs; EBADMSG damaged superblock or log; EOPNOTSUPP other version; ENXIO not in famfs mode
 */
export function mountFamfs(device: DeviceLike, options: MountOptions = {}): Volume {
  checkArguments('mountFamfs', [device, options], { device: deviceLike, options: wanted(mountOptions) });
  if (typeof device !== 'string') {
    return withDaxErrors(`mounting ${device.name}`, () => mountFamfsOn(device, options));
  }
  const opened = openDevice(device, { ...(options.readOnly && { writable: false }), ...patienceIn(options) });
  try {
    return mountFamfsOn(closedWithItsHold(opened), options);
  } catch (error) {
    opened.close();
    throw asDaxError(error, `mounting ${device} failed`);
  }
}

/** Ties a device to the volume that mounts it: releasing the volume's hold also closes the device. */
export function closedWithItsHold(opened: MachineDevice): MachineDevice {
  return {
    name: opened.name,
    get dax() {
      return opened.dax;
    },
    // Read only when needed: making a uuid may fail, and a reader does not need one.
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
        takeAlone: () => hold.takeAlone(),
      };
    },
    ...(opened.servedAt !== undefined && { servedAt: opened.servedAt }),
    ...(opened.reach && { reach: (fmap, file) => opened.reach!(fmap, file) }),
    ...(opened.leave && { leave: (fmap, release) => opened.leave!(fmap, release) }),
    close: () => opened.close(),
    [Symbol.dispose]: () => opened.close(),
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
  return withDaxErrors(`${purpose} of ${device.name}`, () => {
    const hold = device.hold(purpose, { exclusive });
    try {
      return use(device);
    } finally {
      hold.release();
    }
  });
}
