import type { DaxDevice, DirectAccess } from '../dax/index.js';
import { fail, hasCode } from '../libc/index.js';
import { type BackingPiece, MemoryBehind } from '../memory/index.js';
import { PAGE_SIZE } from '../mm/index.js';
import type { IomapProvider } from './iomap.js';

/** 'access' refuses poisoned pages (EIO). 'recovery' ignores poison, so that it can be written over. */
export type AccessMode = 'access' | 'recovery';

/** One piece: `bytes` at file `offset` are at `hpa`, and at `deviceOffset` of the device. */
export type VisitPiece = (
  offset: number,
  hpa: number,
  bytes: number,
  deviceOffset: number,
  shared: boolean,
) => void;

/** The physical places of one file's bytes, and the state of that memory. */
export class FilePieces {
  readonly #device: DaxDevice;
  readonly #provider: IomapProvider;
  /** True when the device's memory has no holes. Asked once, since nobody makes holes under an existing file. */
  #isDense: boolean | undefined;
  /** The number of calls of recover(). */
  recoveries = 0;

  constructor(device: DaxDevice, provider: IomapProvider) {
    this.#device = device;
    this.#provider = provider;
  }

  /** Calls `visit` for each piece of a file range that is contiguous in physical memory, in file order. */
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

  /** As walk(), in pieces for which bytes() needs no view of their own. */
  walkBytes(offset: number, length: number, mode: AccessMode, visit: VisitPiece): void {
    const { memory } = this.#device;
    this.walk(offset, length, mode, (first, hpa, bytes, deviceOffset, shared) => {
      for (let done = 0; done < bytes; ) {
        const part = memory.atOnce(hpa + done, bytes - done);
        visit(first + done, hpa + done, part, deviceOffset + done, shared);
        done += part;
      }
    });
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
   * Writes over poison. When the bytes reach the end of the file, the rest of the last page is zeroed (no file uses it), so
   * that overwriting a whole file repairs its last page too.
   * @throws DaxError EIO not all bytes could be written
   */
  recover(deviceOffset: number, bytes: Uint8Array, position: number): void {
    const inPage = deviceOffset % PAGE_SIZE;
    let good = bytes;
    if (position + bytes.length === this.#provider.size) {
      good = new Uint8Array(Math.ceil((inPage + bytes.length) / PAGE_SIZE) * PAGE_SIZE - inPage);
      good.set(bytes);
    }
    const { name } = this.#provider;
    this.recoveries++;
    const done = this.#device.recoveryWrite((deviceOffset - inPage) / PAGE_SIZE, inPage, good);
    if (done !== good.length) {
      fail(
        'EIO',
        `only ${done} of ${good.length} bytes could be written over failed memory of ${name} (${this.#device.name} offset ${deviceOffset})`,
        { path: name },
      );
    }
  }

  /** An own view of one piece, checked to exist now. @throws DaxError EIO data past the end of an image, or of a truncated file */
  bytes(hpa: number, length: number): Uint8Array {
    return this.#device.memory.dataBytes(hpa, length);
  }

  /**
   * Makes sure that a range has memory. A hole in a sparse backing has none, and gets none when the file system is full: that is
   * an error here, instead of a fatal signal at the first access. Only the pages of the range are checked or allocated.
   * @throws DaxError ENOSPC
   */
  ensureThere(offset: number, length: number, stores: boolean): void {
    const { memory, size } = this.#device;
    this.#isDense ??= !this.#device
      .physicalRanges(0, size)
      .some((range) => memory.isSparse(range.start, range.length));
    if (this.#isDense) return;
    this.walk(offset, length, 'recovery', (_offset, hpa, bytes) => memory.ensureThere(hpa, bytes, stores));
  }

  /** The backings behind a range, so that each is checked once, however many pieces there are. */
  memoryOf(offset: number, length: number): MemoryBehind {
    const behind = new MemoryBehind();
    this.walk(offset, length, 'recovery', (_offset, hpa, bytes) => {
      for (const piece of this.#device.memory.locate(hpa, bytes)) behind.add(piece);
    });
    return behind;
  }

  /** The parts of backings behind the first bytes of the file, in file order. Poison is refused: the parts are for others to use. */
  backingPieces(length: number): BackingPiece[] {
    const found: BackingPiece[] = [];
    this.walk(0, length, 'access', (_offset, hpa, bytes) => {
      for (const piece of this.#device.memory.locate(hpa, bytes)) {
        const last = found.at(-1);
        const continues = last?.backing === piece.backing && last.offset + last.length === piece.offset;
        if (continues) last.length += piece.length;
        else found.push({ ...piece });
      }
    });
    return found;
  }
}
