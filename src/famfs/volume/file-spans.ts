import { fail, hasCode } from '../../libc/index.js';
import { PAGE_SIZE } from '../../mm/index.js';
import { type Fmap, resolve } from '../media/fmap.js';
import type { MountedFamfs } from './mounted.js';

/** The longest span that is handed out, bytes. A window of this process over the memory holds any 64 MiB whole, so it holds a span. */
const SEGMENT_BYTES = 2 ** 25;

/** Receives spans of memory in file order. */
export interface SpanSink {
  addMemory(address: number, length: number): void;
}

/**
 * Finds the addresses of a file's bytes in this process, for a server that answers reads with writev(2). Each call looks up
 * only the requested range, so no state grows with the file. Addresses are valid as long as the device is alive; the owner of
 * the spans checks that before each use. The kernel answers EFAULT when the file behind an address was cut.
 */
export class FileSpans {
  readonly #mounted: MountedFamfs;
  readonly #nameOf: () => string;
  readonly #fmap: Fmap;

  /**
   * @param nameOf gives the file's name; called only for an error message
   * @throws DaxError EIO, ENODEV when not all of the file is memory of this device
   */
  constructor(mounted: MountedFamfs, nameOf: () => string, fmap: Fmap) {
    this.#mounted = mounted;
    this.#nameOf = nameOf;
    this.#fmap = fmap;
    const away = fmap.extents.find(({ devindex }) => devindex !== 0);
    if (away) {
      const path = nameOf();
      fail('ENODEV', `${path} lies on device ${away.devindex}, which is not here`, { path });
    }
    mounted.assertMemory(fmap);
  }

  get #name(): string {
    return this.#nameOf();
  }

  /**
   * Gives `sink` the addresses of [offset, offset + length), in order. The range must lie inside the file.
   * @throws DaxError EIO a page has failed (the piece that holds it is not added), or the range leaves the extents
   */
  visit(offset: number, length: number, sink: SpanSink): void {
    const { dax } = this.#mounted;
    const end = offset + length;
    for (let at = offset; at < end; ) {
      const piece = this.#resolve(at);
      const inPage = piece.offset % PAGE_SIZE;
      const wanted = Math.min(piece.length, end - at, SEGMENT_BYTES);
      const pages = Math.ceil((inPage + wanted) / PAGE_SIZE);
      const found = dax.directAccess((piece.offset - inPage) / PAGE_SIZE, pages, 'recovery');
      const bytes = Math.min(wanted, found.pages * PAGE_SIZE - inPage);
      this.#assertHealthy(found.hpa + inPage, bytes, at);
      sink.addMemory(dax.memory.address(found.hpa + inPage, bytes), bytes);
      at += bytes;
    }
  }

  #resolve(offset: number) {
    try {
      return resolve(this.#fmap, offset);
    } catch (cause) {
      if (!hasCode(cause, 'ERANGE')) throw cause;
      return fail('EIO', `the extents of ${this.#name} end before byte ${offset}: fsck() tells more`, {
        path: this.#name,
        hint: 'fsck',
        hintPath: this.#mounted.device.name,
        cause,
      });
    }
  }

  #assertHealthy(hpa: number, bytes: number, position: number): void {
    const first = Math.floor(hpa / PAGE_SIZE);
    const pages = Math.ceil((hpa + bytes) / PAGE_SIZE) - first;
    if (!this.#mounted.dax.pages.isPoisoned(first, pages)) return;
    fail('EIO', `memory of ${this.#name} has failed within ${bytes} bytes from file offset ${position}`, {
      path: this.#name,
    });
  }
}
