/**
 * Space taken by the files of a log. The primary's map is what allocation searches; C counts extents of other
 * devices in it too (by their offset), so they are marked, but only units of one device can collide.
 */
import { AllocationMap } from './allocation-map.js';

/** Collisions on other devices are looked for up to this size: 32 TiB of 2 MiB units (their sizes are hearsay). */
const MAX_OTHER_UNITS = 2 ** 24;

export class Usage {
  /** Units that two files share, or a file and the superblock or log. */
  collisions = 0;
  /** Units of the primary's map that only other devices' extents marked. */
  #foreign: AllocationMap | null = null;
  readonly #others = new Map<number, AllocationMap>();
  readonly #unit: number;
  readonly #deviceSizes: readonly number[];

  constructor(
    readonly primary: AllocationMap,
    unit: number,
    deviceSizes: readonly number[],
  ) {
    this.#unit = unit;
    this.#deviceSizes = deviceSizes;
  }

  /** Marks an extent. @returns how many of its units were taken on that device */
  mark(devindex: number, offset: number, length: number): number {
    const start = Math.floor(offset / this.#unit);
    const count = Math.ceil((offset + length) / this.#unit) - start;
    if (start >= this.#limitOf(devindex)) return 0;
    const taken = devindex === 0 ? this.#markPrimary(start, count) : this.#markOther(devindex, start, count);
    this.collisions += taken;
    return taken;
  }

  #markPrimary(start: number, count: number): number {
    const taken = this.primary.set(start, count);
    if (this.#foreign === null) return taken;
    const notOurs = this.#foreign.countSet(start, count);
    this.#foreign.clear(start, count);
    return taken - notOurs;
  }

  #markOther(devindex: number, start: number, count: number): number {
    if (start < this.primary.units) this.#shadowPrimary(start, Math.min(start + count, this.primary.units));
    return this.#mapOf(devindex)?.set(start, count) ?? 0;
  }

  #shadowPrimary(start: number, end: number): void {
    this.#foreign ??= new AllocationMap(this.primary.units);
    let unit = this.primary.nextFree(start, end);
    while (unit < end) {
      const stop = this.primary.nextSet(unit, end);
      this.#foreign.set(unit, stop - unit);
      this.primary.set(unit, stop - unit);
      unit = this.primary.nextFree(stop, end);
    }
  }

  /** Nobody knows the size of a device that was never added: nothing to check there. */
  #mapOf(devindex: number): AllocationMap | undefined {
    const units = this.#unitsOf(devindex);
    if (units === 0 || units > MAX_OTHER_UNITS) return undefined;
    let map = this.#others.get(devindex);
    if (map === undefined) {
      map = new AllocationMap(units);
      this.#others.set(devindex, map);
    }
    return map;
  }

  #limitOf(devindex: number): number {
    if (devindex === 0) return this.primary.units;
    return Math.max(this.primary.units, Math.min(this.#unitsOf(devindex), MAX_OTHER_UNITS));
  }

  #unitsOf(devindex: number): number {
    return Math.ceil((this.#deviceSizes[devindex] ?? 0) / this.#unit);
  }
}
