/**
 * Accounts the space that the files of a log take. Allocation searches the map of the primary device. C also counts extents
 * of other devices in that map, by their offset. So they are marked there too, but only units of the same device can collide.
 */
import { AllocationMap } from './allocation-map.js';

/**
 * Collisions on another device are only looked for up to this many units: 32 TiB in units of 2 MiB. The limit is needed
 * because a log entry states the device's size, and it can state anything.
 */
const MAX_OTHER_UNITS = 2 ** 24;

export class Usage {
  /** How many units two files share, or a file and the superblock or log. */
  collisions = 0;
  /** Units of the primary's map that only extents of other devices marked. */
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

  /**
   * Marks an extent of the primary, if that is the usual case: whole units that are free, and no other device's extents in the map.
   * @returns false when it is not: nothing was marked, and mark() knows more
   */
  take(offset: number, length: number): boolean {
    return this.#foreign === null && this.primary.take(offset / this.#unit, length / this.#unit);
  }

  /** Marks an extent. @returns how many of its units were taken on that device before */
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

  /** The map of another device; undefined when the device was never added (its size is unknown) or is too large. */
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
