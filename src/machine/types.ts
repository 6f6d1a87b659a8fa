import type { DaxDevice } from '../dax/index.js';
import type { Fmap } from '../famfs/index.js';
import type { LockPatience } from '../libc/index.js';
import type { BackingKind } from '../memory/index.js';
import type { NodeStats } from '../mm/index.js';
import type { DeviceMode } from '../tree/index.js';

/** How a machine is opened. */
export interface OpenMachineOptions extends LockPatience {
  /** Makes the machine when there is none at the root. Default: fail with ENOENT then. */
  create?: boolean;
}

export type { DeviceMode };

/** The memory of a new region, and how it is divided. */
export interface CreateRegionOptions {
  /** Bytes, or text like `512MiB`. A multiple of max(align, 2 MiB), as for every range on the bus. */
  size: number | string;
  /** 4096, 2 MiB (default) or 1 GiB. */
  align?: number | string;
  /** A regular, tmpfs or hugetlbfs file or a `/dev/daxX.Y` that holds the memory. Default: a new file, `ROOT/regions/R.mem`. */
  backing?: string;
  /**
   * Makes the memory in `/dev/shm`: RAM that the machine owns (mode 0600, or as the state directory is shared) and removes with the
   * region. It is gone after a restart of the host. Not together with `backing` or `sparse`.
   */
  ram?: boolean;
  /** Where the region begins in its backing, bytes. Default 0. */
  offset?: number | string;
  /** The driver that matches the region's devices by type. Default `device`. */
  type?: 'device' | 'kmem';
  /** Makes one device of fixed size (as pmem) instead of many that can be resized (as hmem). */
  static?: boolean;
  /** Does not allocate the space of the default backing, so a full disk shows only later. For tests and benchmarks only. */
  sparse?: boolean;
  /**
   * Default true. Set to false when hosts whose caches are not coherent with this host's share the backing: lines are then
   * flushed and invalidated through libpmem. EOPNOTSUPP where libpmem is not installed.
   */
  coherent?: boolean;
  /** NUMA node that the memory becomes in system-ram mode. Default: the host's highest node + 1 + region id. */
  targetNode?: number;
}

/** What a region of an emulated machine and a region of the kernel have in common. */
export interface RegionSummary {
  id: number;
  static: boolean;
  /** Bytes. */
  size: number;
  /** Bytes of the region that belong to no device. */
  availableSize: number;
  align: number;
  targetNode: number;
  /** Device names, oldest first. */
  devices: string[];
}

export interface RegionInfo extends RegionSummary {
  type: 'device' | 'kmem';
  /** Host physical address of the first byte. */
  hpa: number;
  /** problem: why the memory cannot be used now (its file is gone, or too short). Absent when it can be used. */
  backing: {
    path: string;
    kind: BackingKind;
    offset: number;
    sparse?: boolean;
    /** The machine made the memory in `/dev/shm`, and removes it with the region. */
    ram?: boolean;
    problem?: string;
  };
}

/** A dax device as its machine describes it now. */
export interface DeviceInfo {
  name: string;
  region: number;
  size: number;
  align: number;
  targetNode: number;
  mode: DeviceMode;
  /** `device_dax`, `fsdev_dax`, `kmem`, or null when nothing is bound. */
  driver: string | null;
  state: 'enabled' | 'disabled';
  /** `end` is inclusive, as in mappingN; pageOffset in 4 KiB pages. */
  ranges: { start: number; end: number; pageOffset: number }[];
}

/** A process that has a device open. */
export interface HolderInfo {
  pid: number;
  /** Clock ticks after boot (field 22 of /proc/PID/stat): tells a recycled pid from the real holder. */
  startTime: number;
  command: string;
  device: string;
  /** What the device is used for: `mount`, `mkfs`, `mmap` ... */
  purpose: string;
}

/** A registered use of a device. It ends with release(), or with the process. */
export interface Hold {
  /** Idempotent. */
  release(): void;
  /**
   * Keeps every other user off the device and its memory, until the returned function is called. This use goes on.
   * @throws DaxError EBUSY naming the users that are in the way, of this process or others
   */
  takeAlone(): () => void;
}

/** How a process uses a device. */
export interface HoldOptions {
  /** Refuses every other holder, and is refused while there is one (mkfs). Default: shared. */
  exclusive?: boolean;
}

/** Bytes of a device that have failed. */
export interface PoisonRange {
  device: string;
  /** Bytes from the start of the device. */
  offset: number;
  length: number;
}

/** All that a machine has, at one moment. */
export interface MachineStatus {
  root: string;
  generation: number;
  modules: string[];
  regions: RegionInfo[];
  devices: DeviceInfo[];
  holders: HolderInfo[];
  poison: PoisonRange[];
  nodes: { id: number; totalBytes: number; onlineBytes: number; usedBytes: number }[];
  /** Of this process alone. moved: mappings that are kept for good, because a caller transferred their ArrayBuffer. */
  process: { mappings: number; mappedBytes: number; moved?: number };
}

/**
 * A device as the layers above use it to put files on it. It is looked up by name at each use: `dax` throws ENODEV once the
 * device is gone, and ENXIO while it is not in famfs mode.
 */
export interface MachineDevice {
  readonly name: string;
  readonly dax: DaxDevice;
  /** The owner id this host writes into superblocks. */
  readonly systemUuid: string;
  /** Whether stores can reach the memory. */
  readonly writable: boolean;
  /** Directory for this host's state per file system (`volumes/`). The first writer makes it. */
  readonly reservations: string;
  /**
   * Registers this process as a user of the device until release() or until the process dies.
   * @throws DaxError EBUSY naming the holders that exclude it
   */
  hold(purpose: string, options?: HoldOptions): Hold;
  /** See FamfsDevice.reach() and leave(). Only devices whose memory is reached through files of a mount have these. */
  reach?(fmap: Fmap, file?: { readonly path: string; readonly size: number }): void;
  /** The opposite of reach(): the file will not be used any more; `release` is called when nothing of it is mapped. */
  leave?(fmap: Fmap, release: () => void): void;
  /** The directory where a server has it mounted: only that makes files, so a volume here is a client. */
  readonly servedAt?: string;
  /**
   * Closes what was opened for this handle alone: everything for openDevice(), a kernel device's node, nothing for a device of an
   * emulated machine. Idempotent.
   */
  close(): void;
  [Symbol.dispose](): void;
}

/** A raw device_dax handle, as open(2) on /dev/daxR.N gives. */
export interface OpenDax {
  readonly name: string;
  /** Size of the device in bytes at the time of the call. */
  readonly size: number;
  /**
   * Makes a shared mapping. Offset and length are multiples of the device's align and lie inside the device.
   * The view has length 0 after close(), after a disable or after the device was killed.
   * @throws DaxError EINVAL (bounds, align), ENXIO (not in devdax mode any more), ERANGE (over 4 GiB)
   */
  mmap(options?: { offset?: number; length?: number; writable?: boolean }): Uint8Array;
  /** Gives it back. Idempotent. */
  close(): void;
  [Symbol.dispose](): void;
}

/** A NUMA node made of the memory of devices in system-ram mode. */
export interface MemoryNodeHandle {
  readonly id: number;
  /** Allocates zeroed volatile memory. @throws DaxError ENOMEM, EBUSY (another process allocates from this node) */
  alloc(bytes: number): NodeBuffer;
  /** How much of the node is in use. */
  stats(): NodeStats;
}

/** Volatile memory of a node. */
export interface NodeBuffer {
  readonly bytes: Uint8Array;
  /** Gives the memory back; `bytes` has length 0 then. Idempotent. */
  free(): void;
  [Symbol.dispose](): void;
}

/**
 * The common interface of an emulated machine ({@link Machine}) and the kernel's bus ({@link KernelMachine}), so that a program
 * or a command works on either. Sizes are bytes or text like `1GiB`.
 */
export interface DaxMachine {
  /** The state directory, or `kernel:`. */
  readonly root: string;
  /** All regions, by id. */
  regions(): RegionSummary[];
  /** One region. @throws DaxError ENODEV there is none */
  region(id: number): RegionSummary;
  /** All devices, by name. */
  devices(): DeviceInfo[];
  /** One device. @throws DaxError ENODEV there is none */
  deviceInfo(name: string): DeviceInfo;
  /** Makes a device in a dynamic region. @throws DaxError ENOSPC, EINVAL, EACCES static region, ENODEV */
  createDevice(region: number, options?: { size?: number | string; align?: number | string }): DeviceInfo;
  /** Grows or shrinks a disabled device of a dynamic region. @throws DaxError EBUSY, EINVAL, ENOSPC, EACCES, ENODEV */
  resizeDevice(name: string, size: number | string): DeviceInfo;
  /** Destroys a device; instance 0 stays, at size 0. @throws DaxError EBUSY, ENODEV */
  destroyDevice(name: string, options?: { force?: boolean }): void;
  /** Binds the driver of its mode. @throws DaxError EBUSY, ENODEV */
  enable(name: string): DeviceInfo;
  /** Unbinds its driver. @throws DaxError EBUSY, ENODEV */
  disable(name: string, options?: { force?: boolean }): DeviceInfo;
  /** Gives a device another mode. @throws DaxError EBUSY, EOPNOTSUPP, ENODEV */
  reconfigure(name: string, mode: DeviceMode, options?: { force?: boolean; online?: boolean }): DeviceInfo;
  /** Brings the memory of a system-ram device online. @returns blocks that were offline */
  onlineMemory(name: string, options?: { movable?: boolean }): number;
  /** Takes it offline. @returns blocks that were online @throws DaxError EBUSY in use */
  offlineMemory(name: string): number;
  /** A handle of a device, for mkfs(), mountFamfs() and the like. */
  device(name: string): MachineDevice;
  /** Opens a device in devdax mode, as open(2) of its node. @throws DaxError ENXIO another mode, EACCES, ENODEV */
  openDax(name: string, options?: { writable?: boolean }): OpenDax;
  /** The processes that have a device open; of all devices when none is named. */
  holders(device?: string): HolderInfo[];
  /** The owner id that this host writes into superblocks. The first call makes it. */
  systemUuid(): string;
  /** Gives it back. Idempotent. */
  close(): void;
  [Symbol.dispose](): void;
}
