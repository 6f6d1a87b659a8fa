import type { DaxDevice } from '../dax/index.js';
import { DaxError, fail, hasCode } from '../libc/index.js';
import type { MapOptions, Mapping, PhysicalRange } from '../memory/index.js';
import { type AddressSpace, PAGE_SIZE, PMD_ORDER, PMD_PAGES } from '../mm/index.js';
import { AddressSpaceEntries, type Entry } from './entries.js';
import type { IomapProvider } from './iomap.js';
import { DaxMapping } from './mapping.js';

/** From here on, zeroing by giving pages back beats storing zeroes. */
const DISCARD_BYTES = 2 ** 18;

type Mode = 'access' | 'recovery';
type Access = MapOptions['access'];

/**
 * A file on dax memory: what fs/dax.c does for an inode. Reads and writes copy straight from and to the
 * device's memory; map() faults pages in, pins them and gives their addresses.
 * One DaxFile per inode: it is the address space its folios point to.
 */
export class DaxFile implements AddressSpace {
  readonly #device: DaxDevice;
  readonly #provider: IomapProvider;
  readonly #mappings = new Map<string, DaxMapping>();
  #entries: AddressSpaceEntries | undefined;
  #checked = false;

  constructor(device: DaxDevice, provider: IomapProvider) {
    this.#device = device;
    this.#provider = provider;
  }

  get name(): string {
    return this.#provider.name;
  }

  /** Bytes. */
  get size(): number {
    return this.#provider.size;
  }

  /** Live mappings of this process. */
  get mappings(): number {
    return this.#mappings.size;
  }

  /** The pages faulted in so far, for inspection. */
  entries(): Entry[] {
    return this.#entries?.list() ?? [];
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
    this.#checkBacking(position, length);
    this.#walk(position, length, 'access', (offset, hpa, bytes) => {
      into.set(this.#device.memory.bytes(hpa, bytes), offset - position);
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
    this.#checkBacking(position, bytes.length);
    this.#walk(position, bytes.length, 'recovery', (offset, hpa, count, deviceOffset) => {
      const piece = bytes.subarray(offset - position, offset - position + count);
      if (this.#isPoisoned(hpa, count)) this.#recover(deviceOffset, piece);
      else this.#device.memory.bytes(hpa, count).set(piece);
    });
    return bytes.length;
  }

  /**
   * Lets `source` store straight into the file's memory, piece by piece: a copy from a file needs no buffer
   * of ours. `source` fills all of `into`, which holds the bytes from file offset `position` on.
   */
  fill(position: number, length: number, source: (into: Uint8Array, position: number) => void): void {
    checkPosition(this.name, position);
    this.#checkBacking(position, length);
    this.#walk(position, length, 'recovery', (offset, hpa, bytes, deviceOffset) => {
      if (this.#isPoisoned(hpa, bytes)) {
        const repaired = new Uint8Array(bytes);
        source(repaired, offset);
        this.#recover(deviceOffset, repaired);
      } else {
        source(this.#device.memory.bytes(hpa, bytes), offset);
      }
    });
  }

  /** Shows `sink` the file's memory, piece by piece: a copy to a file needs no buffer of ours. */
  drain(position: number, length: number, sink: (bytes: Uint8Array, position: number) => void): void {
    checkPosition(this.name, position);
    this.#checkBacking(position, length);
    this.#walk(position, length, 'access', (offset, hpa, bytes) => {
      sink(this.#device.memory.bytes(hpa, bytes), offset);
    });
  }

  /** Zeroes a range: whole pages by the device (punched out where that is faster), edges by stores. */
  zero(offset: number, length: number): void {
    checkPosition(this.name, offset);
    if (length === 0) return;
    this.#checkPieces(offset, length);
    const end = offset + length;
    const firstPage = Math.min(roundUp(offset, PAGE_SIZE), end);
    const lastPage = Math.max(firstPage, end - (end % PAGE_SIZE));
    this.#zeroEdge(offset, firstPage - offset);
    if (lastPage > firstPage) {
      this.#walk(firstPage, lastPage - firstPage, 'recovery', (_offset, hpa, bytes, deviceOffset) => {
        if (bytes < DISCARD_BYTES) this.#device.zeroPageRange(deviceOffset / PAGE_SIZE, bytes / PAGE_SIZE);
        else this.#discard(hpa, bytes);
      });
    }
    this.#zeroEdge(lastPage, end - lastPage);
  }

  /** Zeroes pages without touching them, where the backing can: fresh pages are zero. */
  #discard(hpa: number, bytes: number): void {
    for (const { backing, offset, length } of this.#device.memory.locate(hpa, bytes))
      backing.zero(offset, length);
    this.#device.pages.unpoison(hpa / PAGE_SIZE, bytes / PAGE_SIZE);
  }

  #zeroEdge(offset: number, length: number): void {
    if (length <= 0) return;
    this.#walk(offset, length, 'recovery', (_offset, hpa, bytes, deviceOffset) => {
      if (this.#isPoisoned(hpa, bytes)) this.#recover(deviceOffset, new Uint8Array(bytes));
      else this.#device.memory.bytes(hpa, bytes).fill(0);
    });
  }

  /**
   * The bytes [offset, offset + length) at addresses of this process, without a copy. The same span and
   * access gives the same mapping.
   * @throws DaxError EINVAL outside the file, ERANGE over 4 GiB, EIO poison in the range or no memory
   *   behind it, ENXIO device gone, ENOMEM too many pieces
   */
  map(offset: number, length: number, { writable = false }: { writable?: boolean } = {}): DaxMapping {
    this.#checkSpan(offset, length);
    // Decision 14: what is not written is private.
    const access = writable ? 'shared' : 'private';
    const key = `${offset}+${length} ${access}`;
    const known = this.#mappings.get(key);
    if (known) return known.share();

    const granule = this.#granule();
    const start = offset - (offset % granule);
    const end = roundUp(offset + length, granule);
    try {
      const ranges = this.#fault(start, end);
      const memory = this.#pinAndMap(ranges, access);
      const mapping = new DaxMapping(memory, offset - start, length, {
        unpin: () => {
          this.#mappings.delete(key);
          this.#unpin(ranges);
        },
        reason: () => this.#lossOf(ranges),
      });
      this.#mappings.set(key, mapping);
      return mapping;
    } catch (error) {
      if (this.#mappings.size === 0) this.#dropEntries();
      throw error;
    }
  }

  #pinAndMap(ranges: PhysicalRange[], access: Access): Mapping {
    for (const { start, length } of ranges)
      this.#device.pages.getRange(start / PAGE_SIZE, length / PAGE_SIZE);
    try {
      return this.#device.memory.map(ranges, { access, label: this.name });
    } catch (error) {
      this.#unpin(ranges);
      throw error;
    }
  }

  #lossOf(ranges: PhysicalRange[]): DaxError {
    const failed = ranges.some(({ start, length }) => this.#isPoisoned(start, length));
    return failed
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

  #unpin(ranges: PhysicalRange[]): void {
    for (const { start, length } of ranges)
      this.#device.pages.putRange(start / PAGE_SIZE, length / PAGE_SIZE);
  }

  /**
   * Takes this file's mappings of a range away and names the first page (file index) that somebody else
   * still uses, or -1. Mirrors dax_layout_busy_page.
   */
  layoutBusyPage(offset = 0, length = this.size): number {
    const first = Math.floor(offset / PAGE_SIZE);
    const end = Math.ceil((offset + length) / PAGE_SIZE);
    // All of them: a view cannot lose a part of itself.
    for (const mapping of [...this.#mappings.values()]) mapping.detach();
    let busy = -1;
    this.#entries?.forEach(first, end, (index, pfn) => {
      if (busy < 0 && this.#isBusy(pfn)) busy = index;
    });
    return busy;
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
    this.#dropEntries();
  }

  /** References that are not ours; those on a folio of several files may be the others' mappings. */
  #isBusy(pfn: number): boolean {
    const { pages } = this.#device;
    return pages.refcount(pfn) > 0 && pages.describe(pfn).share === 0;
  }

  /** Ends every mapping and forgets every entry, whoever else may use the pages: the device goes. */
  forget(): void {
    for (const mapping of [...this.#mappings.values()]) mapping.detach();
    this.#dropEntries();
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
  #granule(): number {
    const { hpa } = this.#device.directAccess(0, 1, 'recovery');
    return Math.max(PAGE_SIZE, this.#device.memory.locate(hpa, PAGE_SIZE)[0]!.backing.granule);
  }

  /** Makes entries for whole pages of [start, end) and returns where they lie, adjacent pieces as one. */
  #fault(start: number, end: number): PhysicalRange[] {
    this.#entries ??= new AddressSpaceEntries(this.size / PAGE_SIZE);
    const ranges: PhysicalRange[] = [];
    let last: PhysicalRange | undefined;
    this.#walk(start, end - start, 'access', (offset, hpa, bytes, _deviceOffset, shared) => {
      if (last && last.start + last.length === hpa) {
        last.length += bytes;
      } else {
        last = { start: hpa, length: bytes };
        ranges.push(last);
      }
      this.#insertEntries(offset / PAGE_SIZE, hpa / PAGE_SIZE, bytes / PAGE_SIZE, shared);
    });
    return ranges;
  }

  /** PMD entries where file range and pfn are 2 MiB aligned and inside the piece, else PTE entries. */
  #insertEntries(first: number, pfn: number, pages: number, shared: boolean): void {
    const entries = this.#entries!;
    for (let i = 0; i < pages; ) {
      const index = first + i;
      const inSlot = index % PMD_PAGES;
      const slot = (index - inSlot) / PMD_PAGES;
      if (entries.pmdAt(slot) >= 0) {
        i += PMD_PAGES - inSlot; // a PMD that is there serves small requests too
        continue;
      }
      const aligned = inSlot === 0 && (pfn + i) % PMD_PAGES === 0;
      const pmds = aligned ? entries.freePmds(slot, Math.floor((pages - i) / PMD_PAGES)) : 0;
      const ptes = pmds > 0 ? 0 : entries.freePtes(index, Math.min(pages - i, PMD_PAGES - inSlot));
      const [order, count] = pmds > 0 ? [PMD_ORDER, pmds] : [0, ptes];
      if (count > 0) {
        this.#device.pages.associateRange(pfn + i, order, count, this, index, shared);
        if (order === 0) entries.setPtes(index, count, pfn + i);
        else entries.setPmds(slot, count, pfn + i);
      }
      i += Math.max(1, count * 2 ** order);
    }
  }

  #dropEntries(): void {
    this.#entries?.clear((_index, pfn) => this.#device.pages.disassociate(pfn));
  }

  /**
   * Calls `each` for the pieces of a file range that are contiguous in physical memory.
   * 'recovery' walks over poison, 'access' refuses it.
   */
  #walk(
    offset: number,
    length: number,
    mode: Mode,
    each: (offset: number, hpa: number, bytes: number, deviceOffset: number, shared: boolean) => void,
  ): void {
    const end = offset + length;
    for (let position = offset; position < end; ) {
      const iomap = this.#provider.iomap(position, end - position);
      for (let done = 0; done < iomap.length; ) {
        const address = iomap.address + done;
        const inPage = address % PAGE_SIZE;
        const wanted = iomap.length - done;
        const found = this.#translate(
          address - inPage,
          Math.ceil((inPage + wanted) / PAGE_SIZE),
          mode,
          position + done,
        );
        const bytes = Math.min(wanted, found.pages * PAGE_SIZE - inPage);
        each(position + done, found.hpa + inPage, bytes, address, iomap.shared);
        done += bytes;
      }
      position += iomap.length;
    }
  }

  #translate(address: number, pages: number, mode: Mode, position: number) {
    try {
      return this.#device.directAccess(address / PAGE_SIZE, pages, mode);
    } catch (error) {
      if (!hasCode(error, 'EHWPOISON')) throw error;
      return fail(
        'EIO',
        `memory of ${this.name} has failed within ${pages * PAGE_SIZE} bytes from file offset ${position - (position % PAGE_SIZE)} ` +
          `(${this.#device.name} offset ${address}): restore the data by writing whole pages, or copy out the rest`,
        { path: this.name, cause: error },
      );
    }
  }

  #isPoisoned(hpa: number, bytes: number): boolean {
    const first = Math.floor(hpa / PAGE_SIZE);
    return this.#device.pages.isPoisoned(first, Math.ceil((hpa + bytes) / PAGE_SIZE) - first);
  }

  #recover(deviceOffset: number, bytes: Uint8Array): void {
    const inPage = deviceOffset % PAGE_SIZE;
    const done = this.#device.recoveryWrite((deviceOffset - inPage) / PAGE_SIZE, inPage, bytes);
    if (done !== bytes.length) {
      fail(
        'EIO',
        `only ${done} of ${bytes.length} bytes could be written over failed memory of ${this.name} (${this.#device.name} offset ${deviceOffset})`,
        { path: this.name },
      );
    }
  }

  /**
   * An image file may be shorter than the device its superblock names. Metadata reads as zero there; data
   * does not: it is gone, and that is an error. Asked once for the whole file, since images do not shrink.
   */
  #checkBacking(offset: number, length: number): void {
    if (this.#checked) return;
    try {
      this.#checkPieces(0, this.size);
      this.#checked = true;
    } catch (error) {
      if (!hasCode(error, 'EIO')) throw error;
      this.#checkPieces(offset, length);
    }
  }

  #checkPieces(offset: number, length: number): void {
    this.#walk(offset, length, 'recovery', (_offset, hpa, bytes) => {
      for (const piece of this.#device.memory.locate(hpa, bytes)) {
        piece.backing.checkRange(piece.offset, piece.length);
      }
    });
  }
}

function checkPosition(name: string, position: number): void {
  if (!Number.isSafeInteger(position) || position < 0) {
    fail('EINVAL', `${position} is not a position in ${name}: use whole bytes from 0`, { path: name });
  }
}

const roundUp = (value: number, unit: number) => Math.ceil(value / unit) * unit;
