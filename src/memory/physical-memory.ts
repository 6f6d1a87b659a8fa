import {
  appendJoined,
  DaxError,
  fail,
  hasCode,
  MAX_VIEW_BYTES,
  populatePages,
  startsWhereEnds,
} from '../libc/index.js';
import type { BackingPiece } from './backing.js';
import { checkByteRange } from './backing-range.js';
import { OVERLAP_BYTES, openOwnView, windowIndex, windowStart, withinWindow } from './kernel-windows.js';
import type { Access, MapOptions, Mapping, PhysicalRange, SpanOwner } from './mapping.js';
import { MappingTable } from './mapping-table.js';
import { PagesThere } from './pages-there.js';
import { appendPiece, checkPieces, checkWritable, type Piece } from './pieces.js';
import { place } from './placement.js';
import { type BackedRange, type InsertedRange, RangeTable } from './range-table.js';
import { mappingRegistry, type Span } from './registry.js';

/** An own view of a request that no window holds. */
interface StraddlingView extends PhysicalRange {
  span: Span;
}

/**
 * The physical address map of one machine: host physical address -> bytes of a backing, and every mapping made of it.
 *
 * There are two kinds of views. Windows are for udax itself (they stand for the kernel's direct map): made at first use, and
 * kept until their range is removed. Mappings are for users: made on request, counted, and ended by close() or kill().
 */
export class PhysicalMemory {
  readonly #ranges = new RangeTable();
  readonly #mappings = new MappingTable();
  readonly #straddling = new Map<string, StraddlingView>();
  readonly #there = new PagesThere();
  /** The range of the last request: most requests are in the same one. */
  #recent: InsertedRange | undefined;

  /**
   * Puts memory at physical addresses. Nothing is mapped or opened yet.
   * @throws DaxError EBUSY the addresses are taken, EINVAL an address or offset is not page aligned
   */
  insert(range: BackedRange): void {
    this.#ranges.insert(range);
  }

  /**
   * Removes the memory that starts at this address: its windows end, and mappings over it are killed. The backing stays
   * open: its owner closes it.
   * @throws DaxError ENXIO no memory starts there
   */
  remove(start: number): void {
    const range = this.#ranges.take(start);
    this.#there.forget();
    if (this.#recent === range) this.#recent = undefined;
    range.windows.end();
    for (const [key, view] of this.#straddling) {
      if (view.start >= range.end || view.start + view.length <= range.start) continue;
      this.#straddling.delete(key);
      mappingRegistry.end(view.span, 'revoked');
    }
    this.#mappings.kill(range.start, range.length);
  }

  /**
   * The backing bytes of a physical range, in order. It does not check that the backing still has them: see checkRange().
   * @throws DaxError ENXIO where there is no memory
   */
  locate(start: number, length: number): BackingPiece[] {
    const pieces: BackingPiece[] = [];
    this.#ranges.walk(start, length, ({ backing, offset }, from, to) => {
      pieces.push({ backing, offset: offset + from, length: to - from });
    });
    return pieces;
  }

  /**
   * An own view of `length` bytes at a physical address, at most 4 GiB, for use by udax itself. It is valid until the range is
   * removed; its length is 0 then. The bytes are checked to exist now, so use the view at once. A caller that keeps it calls
   * assertThere() before each use. It costs 0.3 us once its window is mapped, all of it to ask for the file's length. Store to
   * it only where the backing is writable. Zero-extended ranges read as zero beyond the backing's end.
   * @throws DaxError ENXIO no memory there, EIO the backing lost its end, ERANGE more than 4 GiB
   */
  bytes(start: number, length: number): Uint8Array {
    if (length === 0) return new Uint8Array(0);
    this.assertThere(start, length);
    return this.view(start, length);
  }

  /** As bytes(), for the data of files: bytes beyond the backing's end are lost (EIO), not zero. */
  dataBytes(start: number, length: number): Uint8Array {
    if (length === 0) return new Uint8Array(0);
    const range = this.#recent;
    if (range !== undefined && start >= range.start && start + length <= range.end) {
      range.assertBacked(start - range.start, start + length - range.start);
    } else this.#ranges.walk(start, length, (each, from, to) => each.assertBacked(from, to));
    return this.view(start, length);
  }

  /**
   * Checks that own views of these bytes can be accessed now: the file behind them was not truncated. One system call a
   * range; none where the backing cannot shrink.
   * @throws DaxError EIO names the file, its end and the range; ENXIO no memory there
   */
  assertThere(start: number, length: number): void {
    const range = this.#recent;
    if (range !== undefined && length > 0 && start >= range.start && start + length <= range.end) {
      range.assertThere(start - range.start, start + length - range.start);
    } else this.#ranges.walk(start, length, (each, from, to) => each.assertThere(from, to));
  }

  /** True when part of it lies in a file with holes. One system call a range. */
  isSparse(start: number, length: number): boolean {
    return this.locate(start, length).some(({ backing }) => backing.isSparse);
  }

  /**
   * Makes sure that stores to these bytes find memory, in all their backings.
   * @throws DaxError ENOSPC the file system under a backing is full, EIO a backing ends before the bytes
   */
  ensure(start: number, length: number): void {
    for (const { backing, offset, length: bytes } of this.locate(start, length))
      backing.ensure(offset, bytes);
  }

  /** As ensure(), for loads or stores, and cheap to repeat: it remembers the pages that have memory. */
  ensureThere(start: number, length: number, stores: boolean): void {
    if (this.#there.has(start, length, stores)) return;
    for (const { backing, offset, length: bytes } of this.locate(start, length)) {
      // A device always has its space, and its size is a file in sysfs, which is slow to read.
      if (backing.kind !== 'devdax') backing.ensure(offset, bytes, stores ? 'store' : 'load');
    }
    this.#there.add(start, length, stores);
  }

  /** Makes bytes read as zeroes; where the backings can, by fresh pages and without storing. */
  zero(start: number, length: number): void {
    this.#there.forget();
    for (const { backing, offset, length: bytes } of this.locate(start, length)) backing.zero(offset, bytes);
  }

  /** The address from which the range at `start` reads as zero: its end, or earlier for an image shorter than its device. */
  backedEnd(start: number): number {
    return (
      this.#ranges.find(start)?.backedEnd ??
      fail('ENXIO', `there is no memory at 0x${start.toString(16)}: is the region gone?`)
    );
  }

  /**
   * The window that shows a byte: what it shows, and the address of its first byte in this process, for the kernel to read from. It is
   * valid until the range is removed. The file's length is not checked: the kernel answers EFAULT where there is no memory any more.
   * @throws DaxError ENXIO no memory there
   */
  window(at: number): { start: number; end: number; address: number } {
    const range = this.#ranges.find(at);
    if (range === undefined)
      return fail('ENXIO', `there is no memory at 0x${at.toString(16)}: is the region gone?`);
    const { start, end, address } = range.windows.around(at - range.start);
    return { start: range.start + start, end: range.start + end, address };
  }

  /**
   * The number of bytes from `start` on, at most `length`, that dataBytes() should be asked for at once. More of them would need a view
   * of their own: a mapping whose pages have to be loaded again, and a collection of garbage.
   */
  atOnce(start: number, length: number): number {
    if (length <= OVERLAP_BYTES) return length;
    const range = this.#ranges.find(start);
    if (range === undefined) return length;
    const inRange = Math.min(length, range.end - start);
    return inRange <= OVERLAP_BYTES ? inRange : withinWindow(start - range.start, inRange);
  }

  /** As bytes(), without the check: for a view that is kept, whose user calls assertThere() before each use. */
  view(start: number, length: number): Uint8Array {
    const range = this.#recent;
    if (range !== undefined && start >= range.start && start + length <= range.end) {
      const from = start - range.start;
      const index = windowIndex(from, from + length);
      const window = range.windows.buffers[index];
      const inWindow = from - windowStart(index);
      if (window !== undefined && inWindow + length <= window.byteLength) {
        return new Uint8Array(window, inWindow, length);
      }
    }
    return this.#firstBytes(start, length);
  }

  /**
   * Maps physical ranges, in this order, as one contiguous ArrayBuffer (decision 8). A second call for the same bytes
   * with the same access (of an owner: for the same name) gives another handle on the same buffer.
   * @throws DaxError ERANGE more than 4 GiB, ENXIO no memory there, EIO a backing ends before it, EACCES not writable,
   * EINVAL a seam inside a granule, ENOMEM too many pieces
   */
  map(ranges: readonly PhysicalRange[], options: MapOptions): Mapping {
    const { label = 'mapping', populate = false } = options;
    const whole = joined(ranges, label);
    const length = whole.reduce((sum, range) => sum + range.length, 0);
    checkViewBytes(length, label);
    const pieces = this.#pieces(whole);
    const access = grantedAccess(options.access, pieces);
    if (access === 'shared') checkWritable(pieces, label);
    checkPieces(pieces);
    const { who: owner, name } = options.owner ?? { who: nobody, name: keyOf(whole, access) };
    const handle =
      this.#mappings.share(owner, name) ??
      this.#mappings.open(
        { owner, name, ranges: whole, length, access, label },
        place(pieces, access, label, () => mappingRegistry.endDropped()),
      );
    if (populate) populateOrClose(handle, label);
    return handle;
  }

  /** One more handle on the span that map() made for an owner under this name; undefined when it has ended or was moved. */
  again(owner: SpanOwner, name: string): Mapping | undefined {
    return this.#mappings.share(owner, name);
  }

  /** Closes every mapping of an owner, whoever has the handles. */
  endAll(owner: SpanOwner): void {
    this.#mappings.endAll(owner);
  }

  /**
   * Ends every user mapping that touches the bytes: views get length 0, then the memory is unmapped, then the
   * listeners are called. Windows stay.
   * @returns how many open handles were ended
   */
  kill(start: number, length: number): number {
    checkByteRange('physical memory', start, length);
    this.#there.forget();
    return this.#mappings.kill(start, length);
  }

  /**
   * Open handles, the bytes they map, and windows. Where there are any, also spans of this isolate that stay mapped because
   * their buffer was moved away (`moved`).
   */
  stats(): { mappings: number; mappedBytes: number; windows: number; moved?: number } {
    let windows = this.#straddling.size;
    for (const range of this.#ranges) windows += range.windows.count;
    const { moved } = mappingRegistry;
    return { ...this.#mappings.stats(), windows, ...(moved > 0 && { moved }) };
  }

  /** Removes every range. Idempotent. */
  close(): void {
    for (let range = this.#ranges.first(); range; range = this.#ranges.first()) this.remove(range.start);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #firstBytes(start: number, length: number): Uint8Array {
    checkByteRange('physical memory', start, length);
    checkViewBytes(length, 'physical memory');
    const range = this.#ranges.find(start);
    if (range && start + length <= range.end) {
      const from = start - range.start;
      const window = range.windows.open(from, from + length);
      this.#recent = range;
      if (window) return new Uint8Array(window.buffer, from - window.start, length);
    }
    return new Uint8Array(this.#straddlingView(start, length));
  }

  /** A view that no window holds. It lives while it is used: any number of different ones may be requested. */
  #straddlingView(start: number, length: number): ArrayBuffer {
    const key = `${start}+${length}`;
    const known = this.#straddling.get(key)?.span.buffer;
    if (known) return known;
    const pieces: Piece[] = [];
    this.#ranges.walk(start, length, (range, from, to) => range.appendOwnView(pieces, from, to));
    const forget = () => {
      if (this.#straddling.get(key) === view) this.#straddling.delete(key);
    };
    const { span, buffer } = openOwnView(pieces, length, 'physical memory', forget);
    const view: StraddlingView = { start, length, span };
    this.#straddling.set(key, view);
    return buffer;
  }

  #pieces(ranges: readonly PhysicalRange[]): Piece[] {
    const pieces: Piece[] = [];
    for (const { start, length } of ranges) {
      this.#ranges.walk(start, length, ({ backing, offset }, from, to) => {
        appendPiece(pieces, { backing, offset: offset + from, length: to - from, backed: to - from });
      });
    }
    return pieces;
  }
}

/** The owner of all mappings without an owner: their name is made of their ranges and access. */
const nobody: SpanOwner = { ended() {} };

/** Joins adjacent ranges. @throws DaxError EINVAL no range, or no byte range */
function joined(ranges: readonly PhysicalRange[], label: string): PhysicalRange[] {
  if (ranges.length === 0) fail('EINVAL', `${label}: nothing to map, give at least one range`);
  const whole: PhysicalRange[] = [];
  for (const { start, length } of ranges) {
    checkByteRange(label, start, length);
    appendJoined(whole, { start, length }, startsWhereEnds);
  }
  return whole;
}

function keyOf(ranges: readonly PhysicalRange[], access: Access): string {
  let key: string = access;
  for (const { start, length } of ranges) key += ` ${start}+${length}`;
  return key;
}

/** Decision 14: memory that refuses private mappings is write-protected instead. */
function grantedAccess(asked: Access, pieces: readonly Piece[]): Access {
  if (asked !== 'private') return asked;
  return pieces.some(({ backing }) => backing?.sharedOnly) ? 'protected' : 'private';
}

function checkViewBytes(length: number, label: string): void {
  if (length <= MAX_VIEW_BYTES) return;
  fail(
    'ERANGE',
    `${label}: ${length} bytes do not fit one view (4 GiB): walk it with windows(), or map a part`,
  );
}

function populateOrClose(mapping: Mapping, label: string): void {
  try {
    populate(mapping.address, mapping.length, label);
  } catch (error) {
    mapping.close();
    throw error;
  }
}

function populate(address: number, length: number, label: string): void {
  try {
    populatePages(address, length);
  } catch (error) {
    if (hasCode(error, 'EINVAL')) return; // Linux before 5.14 cannot populate: each page is faulted in at its first use
    if (!hasCode(error, 'EFAULT')) throw error;
    throw new DaxError('EIO', `${label}: a page has no memory behind it: was the backing truncated?`, {
      cause: error,
    });
  }
}
