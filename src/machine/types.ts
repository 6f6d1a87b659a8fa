import type { DaxDevice } from '../dax/index.js';
import type { LockPatience } from '../libc/index.js';
import type { BackingKind } from '../memory/index.js';
import type { NodeStats } from '../mm/index.js';
import type { DeviceMode } from '../tree/index.js';

export interface OpenMachineOptions extends LockPatience {
  /** Makes the machine when there is none at the root. Default: ENOENT then. */
  create?: boolean;
}

export type { DeviceMode };

export interface CreateRegionOptions {
  /** Bytes, or text like `512MiB`. A multiple of max(align, 2 MiB), as every range on the bus. */
  size: number | string;
  /** 4096, 2 MiB (default) or 1 GiB. */
  align?: number | string;
  /** A regular, tmpfs or hugetlbfs file or a `/dev/daxX.Y` that already holds the memory. Default: `ROOT/regions/R.mem`. */
  backing?: string;
  /** Where the region begins in its backing, bytes. Default 0. */
  offset?: number | string;
  /** Which driver matches its devices by type. Default `device`. */
  type?: 'device' | 'kmem';
  /** One device of fixed size (as pmem) instead of many that can be resized (as hmem). */
  static?: boolean;
  /** Do not allocate the space of the default backing: a full disk is then met later. Tests and benches only. */
  sparse?: boolean;
  /**
   * Default true. False: hosts whose caches do not see ours share the backing, so lines are flushed and invalidated
   * through libpmem. EOPNOTSUPP where that is not installed.
   */
  coherent?: boolean;
  /** NUMA node the memory would become. Default: the host's highest node + 1 + region id. */
  targetNode?: number;
}

/** What every region has, of an emulated machine or of the kernel. */
export interface RegionSummary {
  id: number;
  static: boolean;
  /** Bytes. */
  size: number;
  /** Bytes that no device's range covers. */
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
  /** problem: why the memory cannot be used now (its file is gone, or too short); absent when it can. */
  backing: { path: string; kind: BackingKind; offset: number; sparse?: boolean; problem?: string };
}

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

/** Who has a device open. */
export interface HolderInfo {
  pid: number;
  /** Clock ticks after boot (field 22 of /proc/PID/stat): tells a recycled pid from the real holder. */
  startTime: number;
  command: string;
  device: string;
  /** What for: `mount`, `mkfs`, `mmap` ... */
  purpose: string;
}

/** A registered use of a device; ends with release(), or with the process. */
export interface Hold {
  /** Idempotent. */
  release(): void;
}

export interface HoldOptions {
  /** Refuse every other holder, and be refused by them (mkfs). Default: shared. */
  exclusive?: boolean;
}

export interface PoisonRange {
  device: string;
  /** Bytes from the start of the device. */
  offset: number;
  length: number;
}

export interface MachineStatus {
  root: string;
  generation: number;
  modules: string[];
  regions: RegionInfo[];
  devices: DeviceInfo[];
  holders: HolderInfo[];
  poison: PoisonRange[];
  nodes: { id: number; totalBytes: number; onlineBytes: number; usedBytes: number }[];
  /** Of this process alone. moved: mappings kept for good, because somebody moved their ArrayBuffer's memory into another. */
  process: { mappings: number; mappedBytes: number; moved?: number };
}

/**
 * Names a device for the layers that put files on it. Looked up by name at each use: after the device
 * is gone `dax` is ENODEV; when it is not in famfs mode, ENXIO.
 */
export interface MachineDevice {
  readonly name: string;
  readonly dax: DaxDevice;
  /** The owner id this host writes into superblocks. */
  readonly systemUuid: string;
  /** Whether stores can reach the memory. */
  readonly writable: boolean;
  /** Directory for per-file-system state of this host (`volumes/`); made by whoever first writes into it. */
  readonly reservations: string;
  /**
   * Registers this process as a user of the device until release() or its death.
   * @throws DaxError EBUSY naming the holders that exclude it
   */
  hold(purpose: string, options?: HoldOptions): Hold;
  /** Ends what was opened for this handle alone: of openDevice() all of it, of a machine's device nothing but a node of the kernel's. Idempotent. */
  close(): void;
  [Symbol.dispose](): void;
}

/** A raw device_dax handle, as open(2) on /dev/daxR.N gives. */
export interface OpenDax {
  readonly name: string;
  /** Device bytes at the time of the call. */
  readonly size: number;
  /**
   * A shared mapping. Offset and length are multiples of the device's align and lie inside the device.
   * The view has length 0 after close(), disable or a kill of the device.
   * @throws DaxError EINVAL (bounds, align), ENXIO (not in devdax mode any more), ERANGE (over 4 GiB)
   */
  mmap(options?: { offset?: number; length?: number; writable?: boolean }): Uint8Array;
  close(): void;
  [Symbol.dispose](): void;
}

export interface MemoryNodeHandle {
  readonly id: number;
  /** Zeroed volatile memory. @throws DaxError ENOMEM, EBUSY (another process allocates from this node) */
  alloc(bytes: number): NodeBuffer;
  stats(): NodeStats;
}

export interface NodeBuffer {
  readonly bytes: Uint8Array;
  free(): void;
  [Symbol.dispose](): void;
}

/**
 * What an emulated machine ({@link Machine}) and the kernel's bus ({@link KernelMachine}) both do, so that a program or a
 * command works on either. Sizes are bytes or text like `1GiB`.
 */
export interface DaxMachine {
  /** The state directory, or `kernel:`. */
  readonly root: string;
  regions(): RegionSummary[];
  region(id: number): RegionSummary;
  devices(): DeviceInfo[];
  deviceInfo(name: string): DeviceInfo;
  createDevice(region: number, options?: { size?: number | string; align?: number | string }): DeviceInfo;
  destroyDevice(name: string, options?: { force?: boolean }): void;
  enable(name: string): DeviceInfo;
  disable(name: string, options?: { force?: boolean }): DeviceInfo;
  reconfigure(name: string, mode: DeviceMode, options?: { force?: boolean; online?: boolean }): DeviceInfo;
  onlineMemory(name: string, options?: { movable?: boolean }): number;
  offlineMemory(name: string): number;
  device(name: string): MachineDevice;
  openDax(name: string, options?: { writable?: boolean }): OpenDax;
  holders(device?: string): HolderInfo[];
  systemUuid(): string;
  close(): void;
  [Symbol.dispose](): void;
}
