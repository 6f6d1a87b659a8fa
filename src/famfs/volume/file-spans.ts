import { addressOf, fail } from '../../libc/index.js';
import { PAGE_SIZE } from '../../mm/index.js';
import { type Fmap, pieces } from '../media/fmap.js';
import { physicalRanges } from './device-media.js';
import type { MountedFamfs } from './mounted.js';

/** Our own windows on memory hold any 64 MiB whole; half of that keeps every segment inside one. */
const SEGMENT_BYTES = 2 ** 25;

/** Takes pieces of memory in the order of the file. */
export interface SpanSink {
  addMemory(address: number, length: number): void;
}

/**
 * Where the bytes of one file are in this process's addresses: what a server that answers reads with writev(2) needs.
 * Segments are looked up by file offset; their addresses are resolved at first use and stay valid as long as the
 * device is alive (the owner of the spans asks that before each use).
 */
export class FileSpans {
  readonly #mounted: MountedFamfs;
  readonly #name: string;
  /** File offset where a segment starts; one more at the end: the size. */
  readonly #starts: number[] = [];
  readonly #hpas: number[] = [];
  /** 0 until resolved. */
  readonly #addresses: number[] = [];

  /** @throws DaxError EIO, ENODEV, ERANGE when not all of the file is memory of this device */
  constructor(mounted: MountedFamfs, name: string, size: number, fmap: Fmap) {
    this.#mounted = mounted;
    this.#name = name;
    mounted.assertMemory(fmap);
    let position = 0;
    for (const { devindex, offset, length } of pieces(fmap, 0, size)) {
      if (devindex !== 0) fail('ENODEV', `${name} lies on device ${devindex}, which is not here`);
      for (const range of physicalRanges(mounted.dax, offset, length)) {
        for (let done = 0; done < range.length; done += SEGMENT_BYTES) {
          this.#starts.push(position + done);
          this.#hpas.push(range.start + done);
          this.#addresses.push(0);
        }
        position += range.length;
      }
    }
    this.#starts.push(size);
  }

  /**
   * Gives `sink` the addresses of [offset, offset + length), in order; the range lies inside the file.
   * @throws DaxError EIO a page of it has failed (then nothing of that segment was added)
   */
  visit(offset: number, length: number, sink: SpanSink): void {
    const end = offset + length;
    for (let segment = this.#find(offset), at = offset; at < end; segment++) {
      const within = at - this.#starts[segment]!;
      const bytes = Math.min(this.#starts[segment + 1]! - at, end - at);
      this.#assertHealthy(this.#hpas[segment]! + within, bytes, at);
      sink.addMemory(this.#address(segment) + within, bytes);
      at += bytes;
    }
  }

  #find(offset: number): number {
    const starts = this.#starts;
    let low = 0;
    let high = starts.length - 2;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #assertHealthy(hpa: number, bytes: number, position: number): void {
    const first = Math.floor(hpa / PAGE_SIZE);
    const pages = Math.ceil((hpa + bytes) / PAGE_SIZE) - first;
    if (!this.#mounted.dax.pages.isPoisoned(first, pages)) return;
    fail('EIO', `memory of ${this.#name} has failed within ${bytes} bytes from file offset ${position}`, {
      path: this.#name,
    });
  }

  #address(segment: number): number {
    const known = this.#addresses[segment]!;
    if (known !== 0) return known;
    const length = this.#starts[segment + 1]! - this.#starts[segment]!;
    const address = addressOf(this.#mounted.dax.memory.bytes(this.#hpas[segment]!, length));
    this.#addresses[segment] = address;
    return address;
  }
}
