import { fail, hasCode } from '../../libc/index.js';
import { PAGE_SIZE } from '../../mm/index.js';
import { type Fmap, resolve } from '../media/fmap.js';
import type { MountedFamfs } from './mounted.js';
import type { OpenFileHost } from './open-file-host.js';

/** So many runs are kept, one for each of the last parts of the file that were read. */
const KEPT_RUNS = 64;
const PART_BYTES = 2 ** 30;

/** Receives spans of memory in file order. */
export interface SpanSink {
  addMemory(address: number, length: number): void;
}

/** Bytes of the file that lie behind each other in memory, and in one window of this process. */
interface Run {
  /** Of the file. */
  readonly from: number;
  readonly to: number;
  /** Of byte `from`: in this process, and in the machine. */
  readonly address: number;
  readonly hpa: number;
}

/**
 * Finds the addresses of a file's bytes in this process, for a server that answers reads with writev(2). Each call looks up
 * only the requested range, and keeps some of what it found, so no state grows with the file. Addresses are valid as long as the device
 * is alive, which each use checks. The kernel answers EFAULT when the file behind an address was cut.
 */
export class FileSpans {
  readonly #mounted: MountedFamfs;
  readonly #host: Pick<OpenFileHost, 'check'>;
  readonly #nameOf: () => string;
  readonly #fmap: Fmap;
  readonly #runs: (Run | undefined)[] = [];

  /**
   * @param nameOf gives the file's name; called only for an error message
   * @throws DaxError EIO, ENODEV when not all of the file is memory of this device
   */
  constructor(mounted: MountedFamfs, host: Pick<OpenFileHost, 'check'>, nameOf: () => string, fmap: Fmap) {
    this.#mounted = mounted;
    this.#host = host;
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
   * @throws DaxError EIO a page has failed (the piece that holds it is not added), or the range leaves the extents; ENXIO, ESTALE, EBADF
   *   the device, the file system or the volume is gone
   */
  visit(offset: number, length: number, sink: SpanSink): void {
    this.#host.check();
    const end = offset + length;
    for (let at = offset; at < end; ) {
      const run = this.#runAt(at);
      const within = at - run.from;
      const bytes = Math.min(end, run.to) - at;
      this.#assertHealthy(run.hpa + within, bytes, at);
      sink.addMemory(run.address + within, bytes);
      at += bytes;
    }
  }

  #runAt(at: number): Run {
    const part = Math.floor(at / PART_BYTES) % KEPT_RUNS;
    const known = this.#runs[part];
    if (known !== undefined && at >= known.from && at < known.to) return known;
    const run = this.#find(at);
    this.#runs[part] = run;
    return run;
  }

  /** The longest run around a byte of the file. */
  #find(at: number): Run {
    const { dax } = this.#mounted;
    const { offset, length, extent } = this.#resolve(at);
    const inPage = offset % PAGE_SIZE;
    const page = (offset - inPage) / PAGE_SIZE;
    const { hpa, pages } = dax.directAccess(page, Math.ceil((inPage + length) / PAGE_SIZE), 'recovery');
    const window = dax.memory.window(hpa);
    const here = hpa + inPage;
    const behind = Math.min(length, pages * PAGE_SIZE - inPage, window.end - here);
    const wanted = Math.min(this.#bytesBefore(at, offset, extent), here - window.start);
    const before = this.#isInOnePiece(page, hpa, Math.ceil((wanted - inPage) / PAGE_SIZE)) ? wanted : 0;
    return {
      from: at - before,
      to: at + behind,
      address: window.address + here - before - window.start,
      hpa: here - before,
    };
  }

  /** How many bytes of the file lie right before one, in the same extent or chunk. */
  #bytesBefore(at: number, offset: number, extent: number): number {
    const fmap = this.#fmap;
    return fmap.type === 'simple' ? offset - fmap.extents[extent]!.offset : at % fmap.chunkSize;
  }

  /** Whether the pages before one of the device, so many of them, lie right before it in the machine too. */
  #isInOnePiece(page: number, hpa: number, pages: number): boolean {
    if (pages <= 0) return true;
    const first = this.#mounted.dax.directAccess(page - pages, pages + 1, 'recovery');
    return first.pages > pages && first.hpa === hpa - pages * PAGE_SIZE;
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
