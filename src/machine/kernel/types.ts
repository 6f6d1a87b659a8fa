import type { DeviceInfo, HolderInfo, RegionSummary } from '../types.js';

/** Who hands a region to the bus: the nvdimm driver, the firmware's soft-reserved ranges (hmem), CXL, or somebody new. */
export type RegionProvider = 'nvdimm' | 'hmem' | 'cxl' | 'other';

export interface KernelRegionInfo extends RegionSummary {
  provider: RegionProvider;
  /** Its directory below /sys. */
  path: string;
  /** Host physical address of the memory the provider has; null where this user may not read it. */
  hpa: number | null;
  /** Behind an NVDIMM: survives power loss. */
  persistent: boolean;
}

export interface KernelDeviceInfo extends DeviceInfo {
  /** Path of its node: `/dev/dax0.0`. */
  node: string;
  /** `252:0`, as sysfs has it. */
  numbers: string;
  /** Host physical address of the first byte; null where this user may not read it (root may). */
  resource: number | null;
  /**
   * Where the device's data starts in its provider's memory, bytes: info block and page structs come first on an NVDIMM.
   * Null where this user may not read it.
   */
  dataOffset: number | null;
  /** NUMA node the memory is near to; -1 unknown. */
  numaNode: number;
  persistent: boolean;
  /** Memory blocks of a device in system-ram mode; null in the other modes, and where its addresses may not be read. */
  memory: { total: number; online: number; movable: number } | null;
}

/** Processes that have a dax device open, as far as one may look. */
export interface HolderSurvey {
  holders: HolderInfo[];
  /** How many processes of other users this one may not look into. 0 for root. */
  unseen: number;
}

export interface KernelStatus {
  root: string;
  /** Of the running kernel, `6.1.0-37-amd64`. */
  release: string;
  /** Whether there is a dax bus at all. */
  hasBus: boolean;
  drivers: string[];
  regions: KernelRegionInfo[];
  devices: KernelDeviceInfo[];
  holders: HolderInfo[];
  unseen: number;
}
