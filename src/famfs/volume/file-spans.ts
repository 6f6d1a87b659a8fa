import { fail, hasCode } from '../../libc/index.js';
import { PAGE_SIZE } from '../../mm/index.js';
import { type Fmap, resolve } from '../media/fmap.js';
import type { MountedFamfs } from './mounted.js';

/** Our own windows on memory hold any 64 MiB whole: a longer piece is handed out in parts. */
const SEGMENT_BYTES = 2 ** 25;

/** Takes pieces of memory in the order of the file. */
export interface SpanSink {
  addMemory(address: number, length: number): void;
}

/**
 * Where the bytes of one file are in this process's addresses: what a server that answers reads with writev(2) needs.
 * Looked up for the range that is asked for, when it is: nothing is kept that grows with the file. Addresses are valid as long
 * as the device is alive (the owner of the spans asks that before each use); the kernel answers EFAULT where the file
 * behind them was cut.
 */
export class FileSpans {
  readonly #mounted: MountedFamfs;
  readonly #nameOf: () => string;
  readonly #fmap: Fmap;

  /**
   * @param nameOf for messages: asked when one is said
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
   * Gives `sink` the addresses of [offset, offset + length), in order; the range lies inside the file.
   * @throws DaxError EIO a page of it has failed (then nothing of that piece was added), or lies outside the extents
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
