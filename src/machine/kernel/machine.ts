import fs from 'node:fs';
import { release } from 'node:os';
import path from 'node:path';
import { systemUuid } from '../../famfs/index.js';
import {
  asDaxError,
  checkMethods,
  fail,
  flag,
  integer,
  makeDirectories,
  optional,
  options,
  parseSize,
  size,
  text,
} from '../../libc/index.js';
import {
  carving,
  type DevicePlace,
  deviceAt,
  driverOf,
  driverOfMode,
  findDevices,
  loadedDrivers,
  modeOfDriver,
  SysfsFiles,
  textOf,
  verbs,
} from '../../tree/index.js';
import { describeHolders, endOfUse } from '../holders.js';
import { MachineLock } from '../lock.js';
import type { DaxMachine, DeviceMode, HolderInfo, OpenDax } from '../types.js';
import { describeDevice, findRegions } from './describe.js';
import { KernelDevice } from './device.js';
import { surveyHolders } from './holders.js';
import { mountThatHolds } from './mount-holders.js';
import { KernelRawDevice } from './raw-device.js';
import type { HolderSurvey, KernelDeviceInfo, KernelRegionInfo, KernelStatus } from './types.js';

/** A mode change that can be undone. */
export interface BorrowedMode {
  /** The mode before the change, such as `system-ram`; `disabled` when no driver was bound. */
  readonly before: DeviceMode | 'disabled';
  /**
   * Puts driver and memory back as they were. Idempotent once it has succeeded. Does nothing when another process has changed the
   * device meanwhile.
   * @throws DaxError EBUSY a process has the device open; or the driver's own error
   */
  restore(): void;
}

/**
 * The dax bus of the running kernel. Every call reads the current state from sysfs and changes it through sysfs, as daxctl does.
 * A change is complete or undone. Devices are used through their nodes, `/dev/daxX.Y`, in devdax mode.
 */
export class KernelMachine implements DaxMachine {
  /** The tree of attributes, for whatever has no method here. */
  readonly sysfs: SysfsFiles;
  readonly #stateDirectory: string;
  readonly #devices = new Set<KernelDevice>();
  readonly #rawDevices = new Set<KernelRawDevice>();
  #uuid: string | undefined;

  /**
   * Use {@link openKernel}.
   * @param root `kernel:`, or `kernel:/some/tree` for another tree than /sys
   * @param stateDirectory directory for this host's uuid, locks and state per file system. The first writer makes it.
   */
  constructor(
    readonly root: string,
    stateDirectory: string,
  ) {
    const tree = root.slice('kernel:'.length) || '/sys';
    if (!fs.existsSync(tree))
      fail('ENOENT', `there is no sysfs tree at ${tree}: mount it, or name another`, { path: tree });
    this.sysfs = new SysfsFiles(tree);
    this.#stateDirectory = stateDirectory;
  }

  // Looking

  /** All regions, by id. */
  regions(): KernelRegionInfo[] {
    return findRegions(this.sysfs);
  }

  /** @throws DaxError ENODEV */
  region(id: number): KernelRegionInfo {
    return (
      this.regions().find((region) => region.id === id) ??
      fail('ENODEV', `region ${id}: no such region on the dax bus`)
    );
  }

  /** All devices, by name. */
  devices(): KernelDeviceInfo[] {
    return findDevices(this.sysfs).map((place) => describeDevice(this.sysfs, place));
  }

  /** @throws DaxError ENODEV */
  deviceInfo(name: string): KernelDeviceInfo {
    return describeDevice(this.sysfs, deviceAt(this.sysfs, name));
  }

  /** All that the bus has now. */
  status(): KernelStatus {
    const { holders, unseen } = this.survey();
    return {
      root: this.root,
      release: release(),
      hasBus: this.sysfs.exists('bus/dax'),
      drivers: loadedDrivers(this.sysfs),
      regions: this.regions(),
      devices: this.devices(),
      holders,
      unseen,
    };
  }

  /** Users of the devices, in every process that this one may look into. @throws DaxError ENODEV */
  holders(device?: string): HolderInfo[] {
    return this.survey(device).holders;
  }

  /** Like holders(), and also tells how many processes could not be looked into. Empty for a tree that is not /sys. */
  survey(device?: string): HolderSurvey {
    const places = device === undefined ? findDevices(this.sysfs) : [deviceAt(this.sysfs, device)];
    if (!this.sysfs.isLive) return { holders: [], unseen: 0 };
    return surveyHolders(
      places.map(({ name, directory }) => ({ name, rdev: rdevOf(textOf(this.sysfs, `${directory}/dev`)) })),
    );
  }

  // Changing

  /**
   * Makes a device of a dynamic region, in devdax mode.
   * @throws DaxError ENODEV, ENOSPC, EINVAL, EOPNOTSUPP (static region), EACCES
   */
  createDevice(
    region: number,
    options: { size?: number | string; align?: number | string } = {},
  ): KernelDeviceInfo {
    const size = options.size === undefined ? undefined : parseSize(options.size, 'device size');
    const align = options.align === undefined ? undefined : parseSize(options.align, 'align');
    return this.#locked(() =>
      describeDevice(this.sysfs, carving.createDevice(this.sysfs, region, { size, align })),
    );
  }

  /**
   * Grows or shrinks a disabled device of a dynamic region, as its `size` in sysfs does. Its contents stay.
   * @throws DaxError ENODEV, EINVAL not a multiple of 2 MiB and of the align, EBUSY enabled, ENOSPC, EACCES static region
   */
  resizeDevice(name: string, size: number | string): KernelDeviceInfo {
    const bytes = parseSize(size, 'device size');
    return this.#change(
      name,
      () => false,
      (place) => carving.resizeDevice(this.sysfs, place, bytes),
    );
  }

  /**
   * Destroys a device. Instance 0 stays, at size 0.
   * @throws DaxError ENODEV, EBUSY enabled (disable it first, or force) or in use
   */
  destroyDevice(name: string, options: { force?: boolean } = {}): void {
    this.#locked(() => {
      carving.destroyDevice(this.sysfs, this.#unused(name), { force: options.force ?? false });
    });
  }

  /**
   * Enables a device (enable-device), in devdax mode. Enabled devices stay as they are.
   * @throws DaxError ENODEV, EACCES, the driver's error
   */
  enable(name: string): KernelDeviceInfo {
    return this.#change(
      name,
      () => false,
      (place) => verbs.enable(this.sysfs, place),
    );
  }

  /**
   * Disables a device (disable-device). With force online memory goes offline first. A device that a process has open is refused
   * even with force, because the kernel would unbind it and take the memory away from its users.
   * @throws DaxError ENODEV, EBUSY naming holders or memory online, EACCES
   */
  disable(name: string, options: { force?: boolean } = {}): KernelDeviceInfo {
    return this.#change(
      name,
      (driver) => driver !== null,
      (place) => verbs.disable(this.sysfs, place, { force: options.force ?? false }),
    );
  }

  /**
   * Changes the mode of a device (reconfigure-device), with daxctl's rules (kernel-dax.md 11). When a step fails, driver and
   * memory go back to what they were, and the error says so. When that fails too, the error says what is left.
   * @throws DaxError ENODEV, EINVAL (system-ram to famfs), EBUSY (holders, memory online), ENOENT no such module, EOPNOTSUPP
   *   famfs mode before Linux 7.0, EACCES naming the file, the driver's own error
   */
  reconfigure(
    name: string,
    mode: DeviceMode,
    options: { force?: boolean; online?: boolean } = {},
  ): KernelDeviceInfo {
    const { force = false, online = true } = options;
    return this.#change(
      name,
      (driver) => driver !== null && driver !== driverOfMode[mode],
      (place) => verbs.reconfigure(this.sysfs, place, mode, { force, online }),
    );
  }

  /** Brings all offline memory blocks online, or none. Returns how many. @throws DaxError ENODEV, EINVAL, EACCES */
  onlineMemory(name: string, options: { movable?: boolean } = {}): number {
    return this.#locked(() =>
      verbs.onlineMemory(this.sysfs, deviceAt(this.sysfs, name), { movable: options.movable ?? true }),
    );
  }

  /** Takes all online memory blocks offline, or none. Returns how many. @throws DaxError ENODEV, EINVAL, EBUSY in use */
  offlineMemory(name: string): number {
    return this.#locked(() => verbs.offlineMemory(this.sysfs, deviceAt(this.sysfs, name)));
  }

  /**
   * Puts a device into a mode until restore() is called. Memory of a system-ram device goes offline first.
   * @throws DaxError as reconfigure() with force
   */
  borrowMode(name: string, mode: DeviceMode): BorrowedMode {
    const place = deviceAt(this.sysfs, name);
    const state = verbs.stateOf(this.sysfs, place);
    const driver = driverOfMode[mode];
    if (state.driver !== driver) this.reconfigure(name, mode, { force: true, online: false });
    let isBorrowed = state.driver !== driver;
    return {
      before: state.driver === null ? 'disabled' : modeOfDriver(state.driver),
      restore: () => {
        if (!isBorrowed) return;
        this.#locked(() => {
          if (driverOf(this.sysfs, deviceAt(this.sysfs, name)) === driver) {
            verbs.restore(this.sysfs, this.#unused(name), state);
          }
        });
        isBorrowed = false;
      },
    };
  }

  // Use

  /**
   * Returns a device by name, used through its node, for mkfs, mounting and fsck.
   * @throws DaxError ENODEV; at its first use ENXIO, EACCES
   */
  device(name: string): KernelDevice {
    deviceAt(this.sysfs, name);
    const options = { root: this.#stateDirectory, sysfs: this.sysfs.root };
    const device = new KernelDevice(name, `/dev/${name}`, options);
    this.#devices.add(device);
    return device;
  }

  /** Opens a device for raw shared mappings. @throws DaxError ENODEV, ENXIO (not in devdax mode), EACCES */
  openDax(name: string, options: { writable?: boolean } = {}): OpenDax {
    deviceAt(this.sysfs, name);
    const where = { sysfs: this.sysfs.root, ...options };
    const opened = new KernelRawDevice(name, `/dev/${name}`, where, (closed) =>
      this.#rawDevices.delete(closed),
    );
    this.#rawDevices.add(opened);
    return opened;
  }

  /** The owner id this host writes into superblocks. */
  systemUuid(): string {
    this.#uuid ??= systemUuid(this.#stateDirectory);
    return this.#uuid;
  }

  /** Closes everything this object has open. Idempotent. Modes stay as they are. */
  close(): void {
    for (const device of [...this.#rawDevices]) device.close();
    for (const device of this.#devices) device.close();
    this.#devices.clear();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #change(
    name: string,
    unbinds: (driver: string | null) => boolean,
    apply: (place: DevicePlace) => void,
  ): KernelDeviceInfo {
    return this.#locked(() => {
      const place = deviceAt(this.sysfs, name);
      if (unbinds(driverOf(this.sysfs, place))) this.#unused(name);
      apply(place);
      return describeDevice(this.sysfs, place);
    });
  }

  /**
   * Returns the device if no process has it open. Force does not help here: unbinding takes the memory away from its users
   * (SIGBUS), and a kernel that binds the device again under an open descriptor corrupts itself (kernel-dax.md 12.1).
   * @throws DaxError EBUSY naming the holders
   */
  #unused(name: string): DevicePlace {
    const place = deviceAt(this.sysfs, name);
    const { holders } = this.survey(name);
    if (holders.length === 0 && this.sysfs.isLive && driverOf(this.sysfs, place) === driverOfMode.famfs) {
      const mount = mountThatHolds(name);
      if (mount) holders.push(mount);
    }
    if (holders.length > 0) {
      fail(
        'EBUSY',
        `${name} is in use by ${describeHolders(holders)}: end that use first; nothing was changed`,
        { path: name, ...endOfUse(holders) },
      );
    }
    return place;
  }

  /** Serializes the changes of one bus by several udax processes. */
  #locked<T>(change: () => T): T {
    const file = path.join(this.#stateDirectory, 'kernel.lock');
    let lock: MachineLock;
    try {
      makeDirectories(this.#stateDirectory, 0o700);
      lock = MachineLock.open(file, { mode: 0o600 });
    } catch (error) {
      throw asDaxError(
        error,
        `state directory ${this.#stateDirectory} cannot be used (choose another stateDirectory)`,
        file,
        'other-root',
      );
    }
    try {
      lock.take();
      try {
        return change();
      } finally {
        lock.release();
      }
    } finally {
      lock.close();
    }
  }
}

/** Packs `252:0` as stat(2) does. Returns -1, a number that no node has, when the numbers are unknown. */
function rdevOf(numbers: string | null): number {
  const [major = Number.NaN, minor = Number.NaN] = (numbers ?? '').split(':').map(Number);
  if (!Number.isInteger(major) || !Number.isInteger(minor)) return -1;
  return (minor & 0xff) + (major & 0xfff) * 2 ** 8 + (minor & 0xfff00) * 2 ** 12;
}

const force = optional(options({ force: optional(flag) }));
const name = { name: text };

checkMethods(KernelMachine, {
  region: { id: integer() },
  deviceInfo: name,
  holders: { device: optional(text) },
  survey: { device: optional(text) },
  createDevice: {
    region: integer(),
    options: optional(options({ size: optional(size), align: optional(size) })),
  },
  resizeDevice: { ...name, size },
  destroyDevice: { ...name, options: force },
  enable: name,
  disable: { ...name, options: force },
  reconfigure: {
    ...name,
    mode: text,
    options: optional(options({ force: optional(flag), online: optional(flag) })),
  },
  onlineMemory: { ...name, options: optional(options({ movable: optional(flag) })) },
  offlineMemory: name,
  borrowMode: { ...name, mode: text },
  device: name,
  openDax: { ...name, options: optional(options({ writable: optional(flag) })) },
});
