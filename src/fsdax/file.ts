import type { DaxDevice } from '../dax/index.js';
import { appendJoined, DaxError, fail, startsWhereEnds } from '../libc/index.js';
import {
  fillByWrite,
  type Mapping,
  type MemoryBehind,
  mapLimit,
  type PhysicalRange,
  type SpanOwner,
} from '../memory/index.js';
import { type AddressSpace, PAGE_SIZE } from '../mm/index.js';
import type { Entry } from './entries.js';
import type { IomapProvider } from './iomap.js';
import { DaxMapping } from './mapping.js';
import { FilePages } from './pages.js';
import { FilePieces } from './pieces.js';

/** From here on, zeroing by giving pages back beats storing zeroes. */
const DISCARD_BYTES = 2 ** 18;

/** From here on, whether a process can map so many is asked. */
const MANY_PIECES = 1024;

type Access = Mapping['access'];

/**
 * A file on dax memory: what fs/dax.c does for an inode. Reads and writes copy straight from and to the
 * device's memory; map() faults pages in, pins them and gives their addresses.
 * One DaxFile per inode: it is the address space its folios point to.
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

  /** Spans of it that are mapped, and pin its pages. */
  get pins(): number {
    return this.#pages.pins;
  }

  /** Times that a store went over failed memory: whoever shares the machine is to be told that pages are good again. */
  get recoveries(): number {
    return this.#pieces.recoveries;
  }

  /** The pages faulted in so far, for inspection. */
  entries(): Entry[] {
    return this.#pages.list();
  }

  /**
   * Copies up to `into.length` bytes from file offset `position`; stops at the end of the file.
   * @returns bytes copied, 0 at or past the end
   * @throws DaxError EINVAL bad position, EIO poisoned memory or data past the end of an image, ENXIO device gone
   */
  read(into: Uint8Array, position: number): number {
    checkPosition(this.name, position);
    const length = Math.min(into.length, Math.max(0, this.size - position));
    if (length === 0) return 0;
    this.#pieces.ensureThere(position, length, false);
    this.#pieces.walk(position, length, 'access', (offset, hpa, bytes) => {
      into.set(this.#pieces.bytes(hpa, bytes), offset - position);
    });
    return length;
  }

  /**
   * Copies all of `bytes` to file offset `position`. Poisoned pages that are written whole are repaired.
   * @returns bytes.length
   * @throws DaxError EINVAL bad position, ENOSPC (nothing written) when it does not fit: files do not grow
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
    this.#pieces.walk(position, bytes.length, 'recovery', (offset, hpa, count, deviceOffset) => {
      const piece = bytes.subarray(offset - position, offset - position + count);
      const memory = this.#pieces.bytes(hpa, count);
      if (this.#pieces.isPoisoned(hpa, count)) this.#pieces.recover(deviceOffset, piece, offset);
      else memory.set(piece);
    });
    return bytes.length;
  }

  /**
   * Lets `source` store straight into the file's memory, piece by piece: a copy from a file needs no buffer
   * of ours (but where that memory is a file on a disk). `source` fills all of `into`, which holds the bytes from file offset `position` on.
   */
  fill(position: number, length: number, source: (into: Uint8Array, position: number) => void): void {
    checkPosition(this.name, position);
    this.#pieces.walk(position, length, 'recovery', (offset, hpa, bytes, deviceOffset) => {
      if (this.#pieces.isPoisoned(hpa, bytes)) {
        const repaired = new Uint8Array(bytes);
        source(repaired, offset);
        this.#pieces.recover(deviceOffset, repaired, offset);
      } else if (!fillByWrite(this.#device.memory.locate(hpa, bytes), offset, source)) {
        // A full file system under a sparse backing must be an error, where the store would be a fatal signal.
        this.#pieces.ensureThere(offset, bytes, true);
        source(this.#pieces.bytes(hpa, bytes), offset);
      }
    });
  }

  /** Shows `sink` the file's memory, piece by piece: a copy to a file needs no buffer of ours. */
  drain(position: number, length: number, sink: (bytes: Uint8Array, position: number) => void): void {
    checkPosition(this.name, position);
    this.#pieces.ensureThere(position, length, false);
    this.#pieces.walk(position, length, 'access', (offset, hpa, bytes) => {
      sink(this.#pieces.bytes(hpa, bytes), offset);
    });
  }

  /** Makes sure that every store to a range of the file finds memory. @throws DaxError ENOSPC a sparse backing cannot grow */
  ensureMemory(offset = 0, length = this.size - offset): void {
    this.#pieces.walk(offset, length, 'recovery', (_offset, hpa, bytes) => {
      this.#device.memory.ensure(hpa, bytes);
    });
  }

  /** The memory behind a range: its check() proves that all of it is there. */
  memoryOf(offset: number, length: number): MemoryBehind {
    return this.#pieces.memoryOf(offset, length);
  }

  /** Zeroes a range: whole pages by the device (punched out where that is faster), edges by stores. */
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

  /** Zeroes pages without touching them, where the backing can. */
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
   * The bytes [offset, offset + length) at addresses of this process, without a copy. Mappings of the same pages and
   * access share their memory.
   * @throws DaxError EINVAL outside the file, ERANGE over 4 GiB, EIO poison in the range or no memory
   *   behind it, ENOSPC a sparse backing cannot grow, ENXIO device gone, ENOMEM too many pieces
   */
  map(offset: number, length: number, { writable = false }: { writable?: boolean } = {}): DaxMapping {
    this.#checkSpan(offset, length);
    const granule = this.#granule;
    const start = offset - (offset % granule);
    const end = roundUp(offset + length, granule);
    // Decision 14: what is not written is private.
    const access = writable ? 'shared' : 'private';
    const name = `${start}..${end} ${access}`;
    const memory = this.#device.memory.again(this, name) ?? this.#mapSpan(start, end, name, access);
    const again = () => this.map(offset, length, { writable });
    return new DaxMapping(memory, offset - start, length, again, () => this.#lossOf(memory.ranges));
  }

  /** The folios are pinned before anybody can be told an address, until ended(). */
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

  /** The memory layer: a span of this file has no mapping any more. */
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
   * Takes this file's mappings of a range away and names the first page (file index) that somebody else
   * still uses, or -1. Mirrors dax_layout_busy_page.
   */
  layoutBusyPage(offset = 0, length = this.size): number {
    const first = Math.floor(offset / PAGE_SIZE);
    const end = Math.ceil((offset + length) / PAGE_SIZE);
    // All of them: a view cannot lose a part of itself.
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
   * Ends every use of the file's pages, then forgets them. Does not wait: the core is synchronous, so a
   * page that is busy now stays busy until its user runs again.
   * @throws DaxError EBUSY naming the first page somebody still uses
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

  /** Ends every mapping and forgets every entry, whoever else may use the pages: the device goes. */
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

  /** What mappings of this memory are multiples of: a page, or a huge one. */
  get #granule(): number {
    if (this.#granuleBytes === undefined) {
      const { hpa } = this.#device.directAccess(0, 1, 'recovery');
      const [piece] = this.#device.memory.locate(hpa, PAGE_SIZE);
      this.#granuleBytes = Math.max(PAGE_SIZE, piece!.backing.granule);
    }
    return this.#granuleBytes;
  }

  /** Makes entries for whole pages of [start, end) and returns where they lie, adjacent pieces as one. */
  #fault(start: number, end: number): PhysicalRange[] {
    const ranges = this.#rangesOf(start, end);
    this.#pieces.walk(start, end - start, 'access', (offset, hpa, bytes, _deviceOffset, shared) => {
      this.#pages.insert(offset / PAGE_SIZE, hpa / PAGE_SIZE, bytes / PAGE_SIZE, shared);
    });
    return ranges;
  }

  /** Before any entry is made: a file of more pieces than a process can map may have millions. @throws DaxError ENOMEM */
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
