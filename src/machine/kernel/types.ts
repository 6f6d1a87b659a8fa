import type { DeviceInfo, HolderInfo, RegionSummary } from '../types.js';

/** The provider of a region's memory: the nvdimm driver, the firmware's soft-reserved ranges (hmem), CXL, or an unknown one. */
export type RegionProvider = 'nvdimm' | 'hmem' | 'cxl' | 'other';

export interface KernelRegionInfo extends RegionSummary {
  provider: RegionProvider;
  /** The region's directory below /sys. */
  path: string;
  /** Host physical address of the provider's memory; null when this user may not read it. */
  hpa: number | null;
  /** The memory is behind an NVDIMM: it survives power loss. */
  persistent: boolean;
}

/** A dax device of the running kernel. */
export interface KernelDeviceInfo extends DeviceInfo {
  /** Path of the device's node: `/dev/dax0.0`. */
  node: string;
  /** Device numbers as sysfs has them, `252:0`. */
  numbers: string;
  /** Host physical address of the first byte; null when this user may not read it (root may). */
  resource: number | null;
  /**
   * Where the device's data starts in its provider's memory, bytes. On an NVDIMM the info block and page structs come first.
   * Null when this user may not read it.
   */
  dataOffset: number | null;
  /** NUMA node that the memory is near; -1 when unknown. */
  numaNode: number;
  persistent: boolean;
  /** Memory blocks of a device in system-ram mode. Null in the other modes, and when this user may not read the addresses. */
  memory: { total: number; online: number; movable: number } | null;
}

/** Processes that have a dax device open, as far as this user may look. */
export interface HolderSurvey {
  holders: HolderInfo[];
  /** How many processes of other users this user may not look into. 0 for root. */
  unseen: number;
}

/** All that the kernel's dax bus has, at one moment. */
export interface KernelStatus {
  root: string;
  /** Release of the running kernel, `6.1.0-37-amd64`. */
  release: string;
  /** Whether the kernel has a dax bus. */
  hasBus: boolean;
  drivers: string[];
  regions: KernelRegionInfo[];
  devices: KernelDeviceInfo[];
  holders: HolderInfo[];
  unseen: number;
}
