import { fail } from '../../libc/index.js';
import { type AddressSpace, type DevPagemap, PMD_SIZE, PUD_SIZE } from '../../mm/index.js';
import { DaxDevice } from '../core/dax-device.js';
import type { Platform } from '../core/platform.js';
import type { Devres } from '../drivers/devres.js';
import {
  allocationUnit,
  type DaxRange,
  gapsOf,
  grown,
  lengthOf,
  numbered,
  type Span,
  shrunk,
  sizeOf,
} from './ranges.js';

/** The type of a region: decides which driver matches its devices by type. */
export type RegionType = 'device' | 'kmem';

/** The aligns that a device can have, bytes. */
export const ALIGNS: readonly number[] = [4096, PMD_SIZE, PUD_SIZE];

/** A driver bound to a device: from a successful probe to the unbind. */
export interface Binding {
  readonly driver: string;
  /** Its id was in the driver's list when it was bound (I4). */
  readonly matchedById: boolean;
  readonly devres: Devres;
  /** The ranges at probe. A range that was added while bound (kernel-dax.md 12.3) is not among them. */
  readonly ranges: readonly DaxRange[];
  readonly pageMap: DevPagemap | null;
  /** What its device file allows: mmap, only open, or not even open (kmem: ENXIO). */
  readonly file: 'mmap' | 'open' | 'none';
}

/** A use of the device's memory that a kill tears down: a VMA, a raw mapping. */
export interface Zappable {
  /** Removes the pages. The user's next access gets SIGBUS (or finds a detached buffer). */
  zap(): void;
}

/** The parts of a region that its devices need. Region implements it. */
export interface DeviceRegion extends Span {
  readonly id: number;
  readonly type: RegionType;
  readonly isStatic: boolean;
  /** Bytes. */
  readonly size: number;
  readonly align: number;
  readonly targetNode: number;
  readonly numaNode: number;
  readonly devices: readonly DevDax[];
  readonly availableSize: number;
  readonly seed: DevDax | null;
  readonly youngest: DevDax | null;
  /** The page map of a static region. It lives as long as the region, and every bound driver uses it. */
  readonly pageMap: DevPagemap | null;
  readonly usedRanges: readonly DaxRange[];
  createDevice(): DevDax;
  deleteDevice(name: string): void;
}

/** A `daxR.I` device: ranges of its region's memory. One driver at a time can be bound to it. */
export class DevDax {
  readonly name: string;
  readonly dax: DaxDevice;
  /** The address space of the char node: the mapping of device_dax folios. */
  readonly inode: AddressSpace;
  /** Live mappings of the device. Kill tears them down. */
  readonly mappings = new Set<Zappable>();
  /** False after the device was removed from its bus. */
  present = true;
  binding: Binding | null = null;
  /** The devres of the last probe, successful or not, for the checker. */
  lastDevres: Devres | null = null;
  /** The device was bound again while a file was open (quirk kernel72-rebind-open-file): removing its node is a BUG. */
  nodeCorrupt = false;
  /** Ranges that fsdev_dax released and no driver has taken since. I3: their pages are at rest. */
  cleared: readonly DaxRange[] = [];
  /** Page map of the bound driver on a dynamic region. Set when its probe can no longer fail; null again at kill. */
  pageMap: DevPagemap | null = null;
  #ranges: DaxRange[] = [];
  #align: number;
  #memmapOnMemory = false;

  constructor(
    readonly platform: Platform,
    readonly region: DeviceRegion,
    readonly instance: number,
    readonly major: number,
    readonly minor: number,
    spans: readonly Span[],
  ) {
    this.name = `dax${region.id}.${instance}`;
    this.inode = { name: `/dev/${this.name}` };
    this.dax = new DaxDevice(this.name, `${major}:${minor}`, platform, this);
    this.#align = region.align;
    this.#ranges = numbered(spans);
  }

  /** "maj:min". */
  get devt(): string {
    return this.dax.devt;
  }

  /** Name of the bound driver. */
  get driver(): string | null {
    return this.binding?.driver ?? null;
  }

  get ranges(): readonly DaxRange[] {
    return this.#ranges;
  }

  /** Bytes. */
  get size(): number {
    return sizeOf(this.#ranges);
  }

  /** Bytes: 4096, 2 MiB or 1 GiB. */
  get align(): number {
    return this.#align;
  }

  get targetNode(): number {
    return this.region.targetNode;
  }

  get numaNode(): number {
    return this.region.numaNode;
  }

  get memmapOnMemory(): boolean {
    return this.#memmapOnMemory;
  }

  get modalias(): string {
    return 'dax:t0';
  }

  /** hpa of range 0, or the region's start while it has none. */
  get resource(): number {
    return this.#ranges[0]?.start ?? this.region.start;
  }

  /**
   * A store to size, bytes. Grows into the region's gaps; shrinks from the last range backwards.
   * @throws DaxError EACCES static; EINVAL not a multiple of max(align, 2 MiB); EBUSY bound; ENOSPC more than is available
   */
  resize(size: number): void {
    this.#mustBeDynamic('size');
    const unit = allocationUnit(this.#align);
    if (size % unit !== 0) fail('EINVAL', `size ${size} of ${this.name} is not a multiple of ${unit}`);
    this.#mustBeUnbound('resize');
    const missing = size - this.size;
    const { availableSize } = this.region;
    if (missing > availableSize)
      fail(
        'ENOSPC',
        `${this.name} needs ${missing} bytes more, region ${this.region.id} has ${availableSize} left`,
      );
    if (missing > 0) this.setSpans(grown(this.#ranges, gapsOf(this.region, this.region.usedRanges), missing));
    else if (missing < 0) this.setSpans(shrunk(this.#ranges, -missing));
  }

  /**
   * A store of start-end (hpa, inclusive) to mapping: adds a new range at the end of the list. Allowed while bound, but the
   * bound driver does not use the range. A length that is not a multiple of max(align, 2 MiB) is accepted and ignored.
   * @throws DaxError EACCES static; ENOMEM outside the region or overlapping; EBUSY length 0 on a device that has ranges
   */
  addMapping(start: number, end: number): void {
    this.#mustBeDynamic('mapping');
    const length = end - start + 1;
    if (length % allocationUnit(this.#align) !== 0) return;
    if (length === 0) {
      if (this.#ranges.length === 0) return;
      if (this.platform.quirks.has('kernel72-mapping-warn'))
        this.platform.report({
          quirk: 'kernel72-mapping-warn',
          invariant: 'I12',
          text: `${this.name}: WARN at an empty mapping`,
        });
      fail('EBUSY', `${this.name} has ranges already: an empty one cannot be added`);
    }
    const outside = length < 0 || start < this.region.start || end > this.region.end;
    if (outside || this.region.usedRanges.some((used) => used.start <= end && used.end >= start))
      fail('ENOMEM', `${start.toString(16)}-${end.toString(16)} is not free in region ${this.region.id}`);
    this.setSpans([...this.#ranges, { start, end }]);
  }

  /**
   * A store to align, bytes.
   * @throws DaxError EACCES static; EINVAL not an align, or a range is not a multiple of it; EBUSY bound
   */
  setAlign(align: number): void {
    this.#mustBeDynamic('align');
    if (!ALIGNS.includes(align))
      fail('EINVAL', `align ${align} of ${this.name} is none of ${ALIGNS.join(', ')}`);
    this.#mustBeUnbound('change the align of');
    const unit = allocationUnit(align);
    if (this.#ranges.some((range) => lengthOf(range) % unit !== 0))
      fail('EINVAL', `a range of ${this.name} is not a multiple of ${unit} bytes`);
    this.#align = align;
  }

  /** A store to memmap_on_memory. @throws DaxError EOPNOTSUPP the global switch is off; EBUSY a change while bound to kmem */
  setMemmapOnMemory(on: boolean): void {
    if (on && !this.platform.memmapOnMemoryAllowed)
      fail('EOPNOTSUPP', `memmap_on_memory is switched off on this machine`);
    if (on !== this.#memmapOnMemory && this.driver === 'kmem')
      fail('EBUSY', `${this.name} is bound to kmem: unbind it first`);
    this.#memmapOnMemory = on;
  }

  /** The range of `ranges` that contains a device page. */
  static rangeOf(ranges: readonly DaxRange[], pgoff: number): DaxRange | undefined {
    return ranges.find(
      (range) => pgoff >= range.pageOffset && pgoff < range.pageOffset + lengthOf(range) / 4096,
    );
  }

  /** Called when a driver takes these pages: they need not be at rest any more. */
  pagesTaken(taken: readonly Span[]): void {
    if (this.cleared.length === 0) return;
    this.cleared = this.cleared.filter(
      (range) => !taken.some(({ start, end }) => start <= range.end && end >= range.start),
    );
  }

  /** Sets the spans, unchecked (region code and restore only). */
  setSpans(spans: readonly Span[]): void {
    this.#ranges = numbered(spans);
  }

  /** Sets stored values, unchecked (restore only). */
  setStored(align: number, memmapOnMemory: boolean): void {
    this.#align = align;
    this.#memmapOnMemory = memmapOnMemory;
  }

  #mustBeDynamic(attribute: string): void {
    if (this.region.isStatic)
      fail('EACCES', `${this.name} is in a static region: its ${attribute} cannot be changed`, {
        path: this.name,
      });
  }

  #mustBeUnbound(act: string): void {
    if (this.binding !== null)
      fail('EBUSY', `cannot ${act} ${this.name} while it is bound to ${this.driver}: disable it first`, {
        path: this.name,
      });
  }
}
