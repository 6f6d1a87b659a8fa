import type { DaxDevice } from '../dax/index.js';
import { appendJoined, DaxError, fail, startsWhereEnds } from '../libc/index.js';
import {
  type BackingPiece,
  fillByWrite,
  type Mapping,
  type MemoryBehind,
  mapLimit,
  type PhysicalRange,
  type SpanOwner,
  storeByWrite,
} from '../memory/index.js';
import { type AddressSpace, PAGE_SIZE } from '../mm/index.js';
import type { Entry } from './entries.js';
import type { IomapProvider } from './iomap.js';
import { DaxMapping } from './mapping.js';
import { FilePages } from './pages.js';
import { FilePieces } from './pieces.js';

/** From this size on, zeroing by freeing pages is faster than storing zeroes. */
const DISCARD_BYTES = 2 ** 18;

/** From this number of pieces on, they are checked against the process's limit of mappings. */
const MANY_PIECES = 1024;

type Access = Mapping['access'];

/**
 * A file on dax memory, with what fs/dax.c does for an inode. Reads and writes copy directly from and to the device's
 * memory. map() faults pages in, pins them and returns a view of them.
 * There is one DaxFile per inode: it is the address space that its folios point to.
 */
export class DaxFile implements AddressSpace, SpanOwner {
  readonly #device: DaxDevice;
  readonly #provider: IomapProvider;
  readonly #pieces: FilePieces;
  readonly #pages: FilePages;
  #granuleBytes: number | undefined;

  constructor(device: DaxDevice, provider: IomapProvider) {
    this.#device = device;
    this.#provider = provider;
    this.#pieces = new FilePieces(device, provider);
    this.#pages = new FilePages(device.pages, this);
  }

  get name(): string {
    return this.#provider.name;
  }

  /** Bytes. */
  get size(): number {
    return this.#provider.size;
  }

  /** The number of its mapped spans; each pins its pages. */
  get pins(): number {
    return this.#pages.pins;
  }

  /** The number of writes over failed memory. When it grows, other users of the machine must learn that pages are good again. */
  get recoveries(): number {
    return this.#pieces.recoveries;
  }

  /** The pages faulted in so far, for inspection. */
  entries(): Entry[] {
    return this.#pages.list();
  }

  /**
   * Copies up to `into.length` bytes from file offset `position`. Stops at the end of the file.
   * @returns bytes copied; 0 at or past the end
   * @throws DaxError EINVAL bad position, EIO poisoned memory or data past the end of an image, ENXIO the device is gone, ENOSPC a
   *   sparse backing cannot grow
   */
  read(into: Uint8Array, position: number): number {
    checkPosition(this.name, position);
    const length = Math.min(into.length, Math.max(0, this.size - position));
    if (length === 0) return 0;
    this.#pieces.ensureThere(position, length, false);
    this.#pieces.walkBytes(position, length, 'access', (offset, hpa, bytes) => {
      into.set(this.#pieces.bytes(hpa, bytes), offset - position);
    });
    return length;
  }

  /**
   * Copies all of `bytes` to file offset `position`. Poisoned pages that are written whole are repaired.
   * @returns bytes.length
   * @throws DaxError EINVAL bad position; ENOSPC (nothing written) it does not fit, since files do not grow, or a sparse backing
   *   cannot grow; EIO data past the end of an image, or poison that cannot be repaired; ENXIO the device is gone
   */
  write(bytes: Uint8Array, position: number): number {
    checkPosition(this.name, position);
    if (bytes.length === 0) return 0;
    if (position + bytes.length > this.size) {
      fail(
        'ENOSPC',
        `writing ${bytes.length} bytes at ${position} to ${this.name} goes past its end at ${this.size}: ` +
          'files here have a fixed size, create one that is big enough',
        { path: this.name },
      );
    }
    this.#pieces.ensureThere(position, bytes.length, true);
    this.#pieces.walkBytes(position, bytes.length, 'recovery', (offset, hpa, count, deviceOffset) => {
      const piece = bytes.subarray(offset - position, offset - position + count);
      const memory = this.#pieces.bytes(hpa, count);
      if (this.#pieces.isPoisoned(hpa, count)) this.#pieces.recover(deviceOffset, piece, offset);
      else memory.set(piece);
    });
    return bytes.length;
  }

  /**
   * Lets `source` store directly into the file's memory, piece by piece. A copy from another file then needs no buffer (except
   * where the memory is a file on a disk). `source` must fill all of `into`: the bytes from file offset `position` on.
   */
  fill(position: number, length: number, source: (into: Uint8Array, position: number) => void): void {
    checkPosition(this.name, position);
    this.#pieces.walkBytes(position, length, 'recovery', (offset, hpa, bytes, deviceOffset) => {
      if (this.#pieces.isPoisoned(hpa, bytes)) {
        const repaired = new Uint8Array(bytes);
        source(repaired, offset);
        this.#pieces.recover(deviceOffset, repaired, offset);
      } else if (!fillByWrite(this.#device.memory.locate(hpa, bytes), offset, source)) {
        // A full file system under a sparse backing must be an error here: the store would be a fatal signal.
        this.#pieces.ensureThere(offset, bytes, true);
        source(this.#pieces.bytes(hpa, bytes), offset);
      }
    });
  }

  /**
   * Stores the first bytes of a file that nobody reads yet, into memory that the caller has just checked to be there. Where the memory
   * is a file this maps nothing: a window for each few bytes would cost more than they do.
   * @throws DaxError ENOSPC, EIO as fill(); some of the bytes may have been stored
   */
  store(bytes: Uint8Array): void {
    this.#pieces.walkBytes(0, bytes.length, 'recovery', (offset, hpa, count, deviceOffset) => {
      const piece = bytes.subarray(offset, offset + count);
      if (this.#pieces.isPoisoned(hpa, count)) this.#pieces.recover(deviceOffset, piece, offset);
      else if (!storeByWrite(this.#device.memory.locate(hpa, count), piece)) {
        this.#pieces.ensureThere(offset, count, true);
        this.#pieces.bytes(hpa, count).set(piece);
      }
    });
  }

  /** Gives `sink` views of the file's memory, piece by piece. A copy to another file then needs no buffer. */
  drain(position: number, length: number, sink: (bytes: Uint8Array, position: number) => void): void {
    checkPosition(this.name, position);
    this.#pieces.ensureThere(position, length, false);
    this.#pieces.walkBytes(position, length, 'access', (offset, hpa, bytes) => {
      sink(this.#pieces.bytes(hpa, bytes), offset);
    });
  }

  /** Makes sure that every store to a range of the file finds memory. @throws DaxError ENOSPC a sparse backing cannot grow */
  ensureMemory(offset = 0, length = this.size - offset): void {
    this.#pieces.walk(offset, length, 'recovery', (_offset, hpa, bytes) => {
      this.#device.memory.ensure(hpa, bytes);
    });
  }

  /** The memory behind a range. Its check() checks that the backings still have all of it. */
  memoryOf(offset: number, length: number): MemoryBehind {
    return this.#pieces.memoryOf(offset, length);
  }

  /**
   * The parts of backings behind the whole file, in file order. Parts that follow each other are one.
   * @throws DaxError EIO some of the memory has failed
   */
  backingPieces(): BackingPiece[] {
    return this.#pieces.backingPieces(this.size);
  }

  /** Zeroes a range: whole pages by the device (by freeing them where that is faster), the edges by stores. */
  zero(offset: number, length: number): void {
    checkPosition(this.name, offset);
    if (length === 0) return;
    this.memoryOf(offset, length).check();
    const end = offset + length;
    const firstPage = Math.min(roundUp(offset, PAGE_SIZE), end);
    const lastPage = Math.max(firstPage, end - (end % PAGE_SIZE));
    this.#zeroEdge(offset, firstPage - offset);
    if (lastPage > firstPage) {
      this.#pieces.walk(firstPage, lastPage - firstPage, 'recovery', (_offset, hpa, bytes, deviceOffset) => {
        if (bytes < DISCARD_BYTES) this.#device.zeroPageRange(deviceOffset / PAGE_SIZE, bytes / PAGE_SIZE);
        else this.#discard(hpa, bytes);
      });
    }
    this.#zeroEdge(lastPage, end - lastPage);
  }

  /** Zeroes pages without storing to them, where the backing can. Clears their poison. */
  #discard(hpa: number, bytes: number): void {
    this.#device.memory.zero(hpa, bytes);
    this.#device.pages.unpoison(hpa / PAGE_SIZE, bytes / PAGE_SIZE);
  }

  #zeroEdge(offset: number, length: number): void {
    if (length <= 0) return;
    this.#pieces.walk(offset, length, 'recovery', (position, hpa, bytes, deviceOffset) => {
      const memory = this.#pieces.bytes(hpa, bytes);
      if (this.#pieces.isPoisoned(hpa, bytes))
        this.#pieces.recover(deviceOffset, new Uint8Array(bytes), position);
      else memory.fill(0);
    });
  }

  /**
   * Maps the bytes [offset, offset + length) into this process, without a copy. Mappings of the same pages with the same
   * access share one span.
   * @throws DaxError EINVAL outside the file, ERANGE over 4 GiB, EIO poison in the range or no memory
   *   behind it, ENOSPC a sparse backing cannot grow, ENXIO device gone, ENOMEM too many pieces
   */
  map(offset: number, length: number, { writable = false }: { writable?: boolean } = {}): DaxMapping {
    this.#checkSpan(offset, length);
    const granule = this.#granule;
    const start = offset - (offset % granule);
    const end = roundUp(offset + length, granule);
    // Decision 14: a read-only mapping is private.
    const access = writable ? 'shared' : 'private';
    const name = `${start}..${end} ${access}`;
    const memory = this.#device.memory.again(this, name) ?? this.#mapSpan(start, end, name, access);
    const again = () => this.map(offset, length, { writable });
    return new DaxMapping(memory, offset - start, length, again, () => this.#lossOf(memory.ranges));
  }

  /** Maps a new span. Its folios are pinned before any caller gets an address, and until ended(). */
  #mapSpan(start: number, end: number, name: string, access: Access): Mapping {
    try {
      const ranges = this.#fault(start, end);
      this.#pieces.ensureThere(start, Math.min(end, this.size) - start, access === 'shared');
      this.#pages.pin(ranges);
      try {
        const owner = { who: this, name };
        return this.#device.memory.map(ranges, { access, label: this.name, owner });
      } catch (error) {
        this.#pages.unpin(ranges);
        throw error;
      }
    } catch (error) {
      if (this.#pages.pins === 0) this.#pages.drop();
      throw error;
    }
  }

  /** Called by the memory layer when a span of this file has no mapping any more. */
  ended(ranges: readonly PhysicalRange[]): void {
    this.#pages.unpin(ranges);
  }

  #lossOf(ranges: readonly PhysicalRange[]): DaxError {
    const ended = this.#provider.loss?.();
    if (ended) return ended;
    return ranges.some(({ start, length }) => this.#pieces.isPoisoned(start, length))
      ? new DaxError(
          'EIO',
          `memory of ${this.name} has failed: its views are gone, read() gives what is left`,
          {
            path: this.name,
          },
        )
      : new DaxError('ENXIO', `${this.#device.name} was disabled: the views of ${this.name} are gone`, {
          path: this.name,
        });
  }

  /**
   * Ends all mappings of this file, and returns the first page (file index) of the range that somebody else still uses, or -1.
   * Mirrors dax_layout_busy_page.
   */
  layoutBusyPage(offset = 0, length = this.size): number {
    const first = Math.floor(offset / PAGE_SIZE);
    const end = Math.ceil((offset + length) / PAGE_SIZE);
    // Not only those of the range: a view cannot lose a part of its bytes.
    this.#device.memory.endAll(this);
    return this.#pages.firstBusy(first, end);
  }

  /** As breakLayout(). @returns false, with the pages kept, when somebody still uses one */
  tryBreakLayout(): boolean {
    if (this.layoutBusyPage() >= 0) return false;
    this.#pages.drop();
    return true;
  }

  /**
   * Ends every mapping of the file, then forgets its entries. It does not wait: the core is synchronous, so a page that is
   * busy now stays busy until its user runs again.
   * @throws DaxError EBUSY names the first page that somebody still uses
   */
  breakLayout(): void {
    const busy = this.layoutBusyPage();
    if (busy >= 0) {
      fail('EBUSY', `page ${busy} of ${this.name} is in use: close what holds it and try again`, {
        path: this.name,
      });
    }
    this.#pages.drop();
  }

  /** Ends every mapping and forgets every entry, even of pages that others use: the device goes away. */
  forget(): void {
    this.#device.memory.endAll(this);
    this.#pages.drop();
  }

  #checkSpan(offset: number, length: number): void {
    checkPosition(this.name, offset);
    if (!Number.isSafeInteger(length) || length <= 0 || offset + length > this.size) {
      fail(
        'EINVAL',
        `cannot map ${length} bytes at ${offset} of ${this.name}: choose 1 or more bytes within its ${this.size}`,
        { path: this.name },
      );
    }
  }

  /** The granule of mappings of this memory, bytes: a page, or a huge page. */
  get #granule(): number {
    if (this.#granuleBytes === undefined) {
      const { hpa } = this.#device.directAccess(0, 1, 'recovery');
      const [piece] = this.#device.memory.locate(hpa, PAGE_SIZE);
      this.#granuleBytes = Math.max(PAGE_SIZE, piece!.backing.granule);
    }
    return this.#granuleBytes;
  }

  /** Makes entries for the pages of [start, end). @returns their physical ranges, adjacent ones joined */
  #fault(start: number, end: number): PhysicalRange[] {
    const ranges = this.#rangesOf(start, end);
    this.#pieces.walk(start, end - start, 'access', (offset, hpa, bytes, _deviceOffset, shared) => {
      this.#pages.insert(offset / PAGE_SIZE, hpa / PAGE_SIZE, bytes / PAGE_SIZE, shared);
    });
    return ranges;
  }

  /**
   * The physical ranges of [start, end), adjacent ones joined. Runs before any entry is made: a file with too many pieces to map may
   * have millions.
   * @throws DaxError ENOMEM more pieces than a process can map
   */
  #rangesOf(start: number, end: number): PhysicalRange[] {
    const ranges: PhysicalRange[] = [];
    let most = MANY_PIECES;
    this.#pieces.walk(start, end - start, 'access', (offset, hpa, bytes) => {
      if (appendJoined(ranges, { start: hpa, length: bytes }, startsWhereEnds) || ranges.length <= most)
        return;
      most = mapLimit();
      if (ranges.length <= most) return;
      fail(
        'ENOMEM',
        `${this.name}: ${end - start} bytes at ${start} are more than ${most} pieces (those up to byte ${offset} alone), ` +
          'more than a process can map: raise sysctl vm.max_map_count, map a smaller part, or read()',
        { path: this.name },
      );
    });
    return ranges;
  }
}

function checkPosition(name: string, position: number): void {
  if (!Number.isSafeInteger(position) || position < 0) {
    fail('EINVAL', `${position} is not a position in ${name}: use whole bytes from 0`, { path: name });
  }
}

const roundUp = (value: number, unit: number) => Math.ceil(value / unit) * unit;
