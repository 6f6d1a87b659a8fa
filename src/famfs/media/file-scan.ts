/**
 * Reads the size and extents of a FILE entry and checks them: counts, ranges, alignment, size against extents.
 * One scan is reused for all entries. It reads 4-byte words, which is fast even before V8 has optimized the code: a mount is
 * often the first thing a process does. It allocates only when something is wrong.
 */
import { loadU64 } from '../../libc/index.js';
import type { FamfsExtent, Fmap } from './fmap.js';
import {
  extentLayout,
  FAMFS_EXT_INTERLEAVED,
  FAMFS_EXT_SIMPLE,
  FAMFS_MAX_EXTENTS,
  FAMFS_MAX_STRIPS,
  fileMetaLayout,
  fmapLayout,
  interleavedLayout,
  logEntryLayout,
} from './layout.js';

export interface ExtentLimits {
  allocUnit: number;
  /** First byte that may hold file data on device 0. */
  dataStart: number;
  /** Device sizes by devindex, the primary first, bytes. The array grows with ADD_DAXDEV entries. */
  readonly deviceSizes: readonly number[];
}

/** Receives one fault. `at` is the byte of the field within the entry. */
export type ReportFault = (code: string, at: number, message: string) => void;

const META = logEntryLayout.fields.meta.offset;
const FMAP = META + fileMetaLayout.fields.fmap.offset;
const INTERLEAVED = FMAP + fmapLayout.fields.interleaved.offset;
const SIZE_AT = META + fileMetaLayout.fields.size.offset;
const EXT_TYPE_AT = FMAP + fmapLayout.fields.extType.offset;
const NEXTENTS_AT = FMAP + fmapLayout.fields.nextents.offset;
const EXTENTS_AT = FMAP + fmapLayout.fields.extents.offset;
const NSTRIPS_AT = INTERLEAVED + interleavedLayout.fields.nstrips.offset;
const CHUNK_SIZE_AT = INTERLEAVED + interleavedLayout.fields.chunkSize.offset;
const STRIPS_AT = INTERLEAVED + interleavedLayout.fields.strips.offset;
const EXTENT_WORDS = extentLayout.size / 4;
const DEVINDEX_AT = extentLayout.fields.devindex.offset;
const OFFSET_AT = extentLayout.fields.offset.offset;
const LENGTH_AT = extentLayout.fields.length.offset;
const PAGE = 4096;

export class FileScan {
  size = 0;
  /** The number of extents or strips. It is 0 when the type or a count is bad; the arrays below are not filled then. */
  count = 0;
  /** u64s as floats. They are exact below 2^53. Above, they are close enough to be out of every valid range. */
  readonly devindex = new Float64Array(FAMFS_MAX_EXTENTS);
  readonly offset = new Float64Array(FAMFS_MAX_EXTENTS);
  readonly length = new Float64Array(FAMFS_MAX_EXTENTS);
  #type = 0;
  /** nextents (simple) or niext (interleaved), unchecked. */
  #statedCount = 0;
  #nstrips = 0;
  #chunkSize = 0;

  /** Reads the FILE entry at byte `base` of the memory behind `words`. */
  read(words: Uint32Array, base: number): void {
    this.size = loadU64(words, (base + SIZE_AT) >>> 2);
    this.#type = words[(base + EXT_TYPE_AT) >>> 2]!;
    this.#statedCount = words[(base + NEXTENTS_AT) >>> 2]!;
    this.count = 0;
    if (this.#type === FAMFS_EXT_SIMPLE) {
      if (this.#statedCount <= FAMFS_MAX_EXTENTS)
        this.#readExtents(words, base + EXTENTS_AT, this.#statedCount);
    } else if (this.#type === FAMFS_EXT_INTERLEAVED) {
      this.#nstrips = loadU64(words, (base + NSTRIPS_AT) >>> 2);
      this.#chunkSize = loadU64(words, (base + CHUNK_SIZE_AT) >>> 2);
      const isCounted = this.#statedCount === 1 && this.#nstrips <= FAMFS_MAX_STRIPS;
      if (isCounted) this.#readExtents(words, base + STRIPS_AT, this.#nstrips);
    }
  }

  #readExtents(words: Uint32Array, at: number, count: number): void {
    let word = at >>> 2;
    for (let i = 0; i < count; i++, word += EXTENT_WORDS) {
      this.devindex[i] = loadU64(words, word);
      this.offset[i] = loadU64(words, word + OFFSET_AT / 4);
      this.length[i] = loadU64(words, word + LENGTH_AT / 4);
    }
    this.count = count;
  }

  /** The map of the file, after a check() that found it good. */
  fmap(): Fmap {
    const extents: FamfsExtent[] = [];
    for (let i = 0; i < this.count; i++)
      extents.push({ devindex: this.devindex[i]!, offset: this.offset[i]!, length: this.length[i]! });
    if (this.#type === FAMFS_EXT_SIMPLE) return { type: 'simple', extents };
    return { type: 'interleaved', nstrips: this.#nstrips, chunkSize: this.#chunkSize, extents };
  }

  /** Bytes of all extents. */
  get capacity(): number {
    let bytes = 0;
    for (let i = 0; i < this.count; i++) bytes += this.length[i]!;
    return bytes;
  }

  /** Byte of extent i's offset field within the entry. */
  offsetFieldAt(i: number): number {
    return this.#extentFieldAt(i) + OFFSET_AT;
  }

  #extentFieldAt(i: number): number {
    return (this.#type === FAMFS_EXT_SIMPLE ? EXTENTS_AT : STRIPS_AT) + i * extentLayout.size;
  }

  /**
   * Checks the values of the last read().
   * @returns true when the file can be used. A file on a device that no entry added is reported, but counts as usable: it can
   * be listed
   */
  check(limits: ExtentLimits, report: ReportFault): boolean {
    let isGood = true;
    if (this.size === 0 || this.size > Number.MAX_SAFE_INTEGER) {
      report('file-size', SIZE_AT, `the file size is ${this.size}`);
      isGood = false;
    }
    if (this.count === 0) {
      this.#reportCount(report);
      return false;
    }
    let capacity = 0;
    for (let i = 0; i < this.count; i++) {
      if (!this.#checkExtent(i, limits, report)) isGood = false;
      capacity += this.length[i]!;
    }
    if (this.#type === FAMFS_EXT_INTERLEAVED) return this.#checkStrips(report) && isGood;
    if (isGood && this.size > capacity) {
      report('file-size', SIZE_AT, `the file size is ${this.size}, its extents hold ${capacity} bytes`);
      isGood = false;
    }
    return isGood;
  }

  #reportCount(report: ReportFault): void {
    const type = this.#type;
    const statedCount = this.#statedCount;
    const nstrips = this.#nstrips;
    if (type === FAMFS_EXT_SIMPLE) {
      report('extent-count', NEXTENTS_AT, `it has ${statedCount} extents, want 1 to ${FAMFS_MAX_EXTENTS}`);
    } else if (type !== FAMFS_EXT_INTERLEAVED) {
      report('extent-type', EXT_TYPE_AT, `extent type ${type} is unknown`);
    } else if (statedCount !== 1) {
      report('extent-count', NEXTENTS_AT, `it has ${statedCount} interleaved extents, want 1`);
    } else {
      report('extent-count', NSTRIPS_AT, `it has ${nstrips} strips, want 1 to ${FAMFS_MAX_STRIPS}`);
    }
  }

  #checkExtent(i: number, limits: ExtentLimits, report: ReportFault): boolean {
    const device = this.devindex[i]!;
    const offset = this.offset[i]!;
    const length = this.length[i]!;
    const unit = limits.allocUnit;
    const isPrimary = device === 0;
    if (length === 0 || length % unit !== 0) {
      const message = `extent ${i} has ${length} bytes, not a multiple of the unit ${unit}`;
      report('extent-alignment', this.#extentFieldAt(i) + LENGTH_AT, message);
      return false;
    }
    if (offset % unit !== 0) {
      const message = `extent ${i} starts at ${offset}, not at a multiple of the unit ${unit}`;
      report('extent-alignment', this.offsetFieldAt(i), message);
      return false;
    }
    if (isPrimary && offset < limits.dataStart) {
      const message = `extent ${i} starts at ${offset}, inside the superblock or log (data starts at ${limits.dataStart})`;
      report('extent-offset', this.offsetFieldAt(i), message);
      return false;
    }
    const deviceSize = limits.deviceSizes[device];
    if (deviceSize === undefined) {
      const message = `extent ${i} is on device ${device}, which no entry added`;
      report('extent-device', this.#extentFieldAt(i) + DEVINDEX_AT, message);
      return device <= Number.MAX_SAFE_INTEGER && offset + length <= Number.MAX_SAFE_INTEGER;
    }
    if (offset + length > deviceSize) {
      const message = `extent ${i} (${offset}, ${length} bytes) ends past the device, which has ${deviceSize}`;
      report('extent-range', this.offsetFieldAt(i), message);
      return false;
    }
    return true;
  }

  /** Checks the chunk size, and that each strip holds its share of the file's chunks. */
  #checkStrips(report: ReportFault): boolean {
    const { size, count } = this;
    const chunk = this.#chunkSize;
    if (chunk === 0 || chunk % PAGE !== 0 || chunk > Number.MAX_SAFE_INTEGER) {
      report('chunk-size', CHUNK_SIZE_AT, `the chunk size is ${chunk}, not a multiple of ${PAGE}`);
      return false;
    }
    const stripe = chunk * count;
    const wholeStripes = Math.floor(size / stripe);
    const rest = size - wholeStripes * stripe;
    for (let i = 0; i < count; i++) {
      const needed = wholeStripes * chunk + Math.min(chunk, Math.max(0, rest - i * chunk));
      if (this.length[i]! < needed) {
        const message = `strip ${i} has ${this.length[i]} bytes, a file of ${size} needs ${needed} there`;
        report('file-size', this.#extentFieldAt(i) + LENGTH_AT, message);
        return false;
      }
    }
    return true;
  }
}
