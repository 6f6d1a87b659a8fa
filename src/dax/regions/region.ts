import { fail } from '../../libc/index.js';
import { DevPagemap, PAGE_SIZE } from '../../mm/index.js';
import type { Platform } from '../core/platform.js';
import { ALIGNS, DevDax, type DeviceRegion, type RegionType } from './dev-dax.js';
import type { DaxRange, Span } from './ranges.js';

export interface AddRegionOptions {
  /** Default: the lowest free id. Static regions may share an id (namespaces of one nd region). */
  id?: number;
  type: RegionType;
  /** True: one device of fixed size (pmem). False (default): any number of devices that can be resized (hmem). */
  static?: boolean;
  /** hpa, bytes. */
  start: number;
  /** Bytes. */
  size: number;
  /** Bytes: the initial align of its devices. */
  align: number;
  /** -1 unknown. */
  targetNode: number;
  /** Default: targetNode, or 0 when that is unknown. */
  numaNode?: number;
  /** Dynamic: device .0 starts with size 0 (hmem region_idle=1). */
  idle?: boolean;
  /** Static: the hpa where the region's page map starts. Default: `start`. */
  pageMapStart?: number;
}

/** The parts of the bus that a region needs. */
export interface RegionHost {
  readonly platform: Platform;
  readonly major: number;
  allocateMinor(): number;
  /** The lowest instance number that no device of that region id has. */
  freeInstance(regionId: number): number;
  /** Called for a new device: emits the add event, then offers the device to the drivers. */
  deviceAdded(device: DevDax): void;
  deviceRemoved(device: DevDax): void;
}

/** A memory span of a provider, and the devices that are cut from it. */
export class Region implements DeviceRegion {
  readonly id: number;
  readonly type: RegionType;
  readonly isStatic: boolean;
  readonly start: number;
  readonly size: number;
  readonly align: number;
  readonly targetNode: number;
  readonly numaNode: number;
  readonly pageMap: DevPagemap | null;
  #devices: DevDax[] = [];
  #seed: DevDax | null = null;
  #youngest: DevDax | null = null;
  readonly #host: RegionHost;

  constructor(host: RegionHost, id: number, options: AddRegionOptions) {
    this.#host = host;
    this.id = id;
    this.type = options.type;
    this.isStatic = options.static ?? false;
    this.start = options.start;
    this.size = options.size;
    this.align = options.align;
    this.targetNode = options.targetNode;
    this.numaNode = options.numaNode ?? Math.max(0, options.targetNode);
    this.pageMap = this.isStatic
      ? new DevPagemap([{ start: options.pageMapStart ?? this.start, end: this.end }])
      : null;
  }

  /** Inclusive. */
  get end(): number {
    return this.start + this.size - 1;
  }

  /** Oldest first. */
  get devices(): readonly DevDax[] {
    return this.#devices;
  }

  get usedRanges(): readonly DaxRange[] {
    return this.#devices.flatMap((device) => device.ranges);
  }

  /** Bytes that no range covers. */
  get availableSize(): number {
    return this.size - this.#devices.reduce((sum, device) => sum + device.size, 0);
  }

  /** The device that `seed` shows: set by create when there was none; null once that device is bound or deleted. */
  get seed(): DevDax | null {
    return this.#seed;
  }

  /** The device that reading `create` shows: the latest created one, while it exists. */
  get youngest(): DevDax | null {
    return this.#youngest;
  }

  /** Adds the device that comes with the region. It is neither seed nor youngest. */
  addFirstDevice(idle: boolean): DevDax {
    return this.#add(this.#host.freeInstance(this.id), idle ? [] : [{ start: this.start, end: this.end }]);
  }

  /** A store of 1 to create: a device of size 0 with the region's align. @throws DaxError EACCES static; ENOSPC no space left */
  createDevice(): DevDax {
    this.#mustBeDynamic('create');
    if (this.availableSize === 0)
      fail('ENOSPC', `region ${this.id} has no free space: shrink a device first`);
    const device = this.#add(this.#host.freeInstance(this.id), [], (created) => {
      this.#youngest = created;
      this.#seed ??= created;
    });
    return device;
  }

  /**
   * A store of a name to delete.
   * @throws DaxError EACCES static; ENXIO not a device of this region; EBUSY bound, not empty, or instance 0
   */
  deleteDevice(name: string): void {
    this.#mustBeDynamic('delete');
    const device = this.#devices.find((candidate) => candidate.name === name);
    if (device === undefined) fail('ENXIO', `region ${this.id} has no device ${name}`);
    if (device.binding !== null) fail('EBUSY', `${name} is bound to ${device.driver}: disable it first`);
    if (device.size !== 0) fail('EBUSY', `${name} has ${device.size} bytes: set its size to 0 first`);
    if (device.instance === 0) fail('EBUSY', `${name} came with its region and stays with it`);
    this.drop(device);
  }

  /** Called when a driver was bound: a bound device is no seed any more. */
  deviceBound(device: DevDax): void {
    if (this.#seed === device) this.#seed = null;
  }

  /** Removes a device, which must be unbound. */
  drop(device: DevDax): void {
    this.#devices = this.#devices.filter((other) => other !== device);
    if (this.#seed === device) this.#seed = null;
    if (this.#youngest === device) this.#youngest = null;
    this.#host.deviceRemoved(device);
  }

  /** Adds a device without an event or a probe. */
  addStored(instance: number, minor: number, spans: readonly Span[]): DevDax {
    const device = new DevDax(this.#host.platform, this, instance, this.#host.major, minor, spans);
    this.#devices.push(device);
    return device;
  }

  /** Sets seed and youngest by their stored names (restore only). */
  setStored(seed: string | null, youngest: string | null): void {
    this.#seed = this.#devices.find((device) => device.name === seed) ?? null;
    this.#youngest = this.#devices.find((device) => device.name === youngest) ?? null;
  }

  #add(instance: number, spans: readonly Span[], before?: (device: DevDax) => void): DevDax {
    const device = this.addStored(instance, this.#host.allocateMinor(), spans);
    before?.(device);
    this.#host.deviceAdded(device);
    return device;
  }

  #mustBeDynamic(attribute: string): void {
    if (this.isStatic) fail('EACCES', `region ${this.id} is static: it has no ${attribute}`);
  }
}

/** Checks a new region against the existing ones. @throws DaxError EEXIST the id is taken; EBUSY its memory is taken; EINVAL sizes */
export function checkRegion(id: number, options: AddRegionOptions, regions: readonly Region[]): void {
  const { start, size, align } = options;
  if (regions.some((region) => region.id === id && !(region.isStatic && options.static)))
    fail('EEXIST', `region ${id} exists already`);
  if (!(size > 0) || !Number.isSafeInteger(start + size) || start % PAGE_SIZE !== 0 || size % PAGE_SIZE !== 0)
    fail('EINVAL', `region ${id}: ${start}+${size} is no span of whole pages`);
  if (!ALIGNS.includes(align)) fail('EINVAL', `region ${id}: align ${align} is none of ${ALIGNS.join(', ')}`);
  const other = regions.find((region) => region.start < start + size && region.end >= start);
  if (other !== undefined) fail('EBUSY', `region ${id}: memory at ${start} belongs to region ${other.id}`);
}
