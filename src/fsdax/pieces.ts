import type { DaxDevice, DirectAccess } from '../dax/index.js';
import { fail, hasCode } from '../libc/index.js';
import type { Backing } from '../memory/index.js';
import { PAGE_SIZE } from '../mm/index.js';
import { ensureThere } from './backing.js';
import type { IomapProvider } from './iomap.js';

/** 'access' refuses poisoned pages (EIO), 'recovery' goes over them, to write. */
export type AccessMode = 'access' | 'recovery';

/** One piece: `bytes` at file `offset` are at `hpa`, and at `deviceOffset` of the device. */
export type VisitPiece = (
  offset: number,
  hpa: number,
  bytes: number,
  deviceOffset: number,
  shared: boolean,
) => void;

/** Where the bytes of one file are in physical memory, and what state that memory is in. */
export class FilePieces {
  readonly #device: DaxDevice;
  readonly #provider: IomapProvider;
  #isChecked = false;
  /** All pages have been seen to be there: for loads only, or for stores as well. */
  #isThere: 'for loads' | 'for stores' | null = null;

  constructor(device: DaxDevice, provider: IomapProvider) {
    this.#device = device;
    this.#provider = provider;
  }

  /** Calls `visit` for the pieces of a file range that are contiguous in physical memory, in file order. */
  walk(offset: number, length: number, mode: AccessMode, visit: VisitPiece): void {
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
        visit(position + done, found.hpa + inPage, bytes, address, iomap.shared);
        done += bytes;
      }
      position += iomap.length;
    }
  }

  #translate(address: number, pages: number, mode: AccessMode, position: number): DirectAccess {
    try {
      return this.#device.directAccess(address / PAGE_SIZE, pages, mode);
    } catch (error) {
      if (!hasCode(error, 'EHWPOISON')) throw error;
      return fail(
        'EIO',
        `memory of ${this.#provider.name} has failed within ${pages * PAGE_SIZE} bytes from file offset ${position - (position % PAGE_SIZE)} ` +
          `(${this.#device.name} offset ${address}): restore the data by writing whole pages, or copy out the rest`,
        { path: this.#provider.name, cause: error },
      );
    }
  }

  isPoisoned(hpa: number, bytes: number): boolean {
    const first = Math.floor(hpa / PAGE_SIZE);
    return this.#device.pages.isPoisoned(first, Math.ceil((hpa + bytes) / PAGE_SIZE) - first);
  }

  /**
   * Writes over poison. Bytes that end the file take the rest of their page with them (it is nobody's), so
   * that overwriting a whole file repairs its last page too.
   */
  recover(deviceOffset: number, bytes: Uint8Array, position: number): void {
    const inPage = deviceOffset % PAGE_SIZE;
    let good = bytes;
    if (position + bytes.length === this.#provider.size) {
      good = new Uint8Array(Math.ceil((inPage + bytes.length) / PAGE_SIZE) * PAGE_SIZE - inPage);
      good.set(bytes);
    }
    const { name } = this.#provider;
    const done = this.#device.recoveryWrite((deviceOffset - inPage) / PAGE_SIZE, inPage, good);
    if (done !== good.length) {
      fail(
        'EIO',
        `only ${done} of ${good.length} bytes could be written over failed memory of ${name} (${this.#device.name} offset ${deviceOffset})`,
        { path: name },
      );
    }
  }

  /**
   * An image file may be shorter than the device its superblock names. Metadata reads as zero there; data
   * does not: it is gone, and that is an error. Asked once for the whole file, since images do not shrink.
   */
  checkBacking(offset: number, length: number): void {
    if (this.#isChecked) return;
    try {
      this.checkMemory(0, this.#provider.size);
      this.#isChecked = true;
    } catch (error) {
      if (!hasCode(error, 'EIO')) throw error;
      this.checkMemory(offset, length);
    }
  }

  /**
   * A sparse backing has no page for a hole, and may get none when its file system is full: an error now, where
   * the first touch would be a fatal signal. Asked once for the whole file, since holes are not made again.
   * @throws DaxError ENOSPC
   */
  ensureThere(offset: number, length: number, stores: boolean): void {
    if (this.#isThere === 'for stores' || (this.#isThere !== null && !stores)) return;
    try {
      this.#ensureRange(0, this.#provider.size, stores);
      this.#isThere = stores ? 'for stores' : 'for loads';
    } catch (error) {
      if (!hasCode(error, 'ENOSPC', 'EIO')) throw error;
      this.#ensureRange(offset, length, stores);
    }
  }

  #ensureRange(offset: number, length: number, stores: boolean): void {
    this.checkMemory(offset, length);
    this.walk(offset, length, 'recovery', (_offset, hpa, bytes) => {
      ensureThere(this.#device.memory, hpa, bytes, stores);
    });
  }

  /** EIO where a backing ends before the bytes of a range: asked once a backing, however many pieces there are. */
  checkMemory(offset: number, length: number): void {
    const used = new Map<Backing, { start: number; end: number }>();
    this.walk(offset, length, 'recovery', (_offset, hpa, bytes) => {
      for (const piece of this.#device.memory.locate(hpa, bytes)) {
        const end = piece.offset + piece.length;
        const known = used.get(piece.backing);
        if (!known) used.set(piece.backing, { start: piece.offset, end });
        else {
          known.start = Math.min(known.start, piece.offset);
          known.end = Math.max(known.end, end);
        }
      }
    });
    for (const [backing, { start, end }] of used) backing.checkRange(start, end - start);
  }
}
