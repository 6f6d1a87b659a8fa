import type { DaxMapping } from '../../fsdax/index.js';
import {
  callback,
  checkMethods,
  type DaxError,
  fail,
  flag,
  isBytes,
  MAX_VIEW_BYTES,
  number,
  optional,
  options,
  shown,
  text,
} from '../../libc/index.js';
import type { MemoryBehind } from '../../memory/index.js';
import type { Fmap } from '../media/fmap.js';
import type { ByteLocks } from './byte-locks.js';
import type { FileLock } from './file-lock.js';
import { type FileMember, membersOf } from './file-member.js';
import { FileViews } from './file-views.js';
import { type HostMap, hostMapOf } from './host-map.js';
import type { Inode } from './inode.js';
import type { OpenFileHost } from './open-file-host.js';
import type { MapOptions, ViewConstructor } from './types.js';
import {
  arrayView,
  type ReadonlyUint8Array,
  type ReadonlyView,
  type ViewPin,
  viewConstructor,
} from './views.js';

export interface WindowOptions {
  /** Bytes of each but the last, default 1 GiB. */
  size?: number;
  /** As of MapOptions. */
  writable?: boolean;
}

const DEFAULT_WINDOW_BYTES = 2 ** 30;

/**
 * One open file of a volume. Views are the file's own memory, at addresses of this process: a load is a
 * load. Read-only by default; writable ones are shared with every process that has the file.
 */
export class VolumeFile {
  /** From the volume's root, with a leading slash. */
  readonly path: string;
  /** Bytes, for good. */
  readonly size: number;
  /** Where the bytes lie on the device. */
  get fmap(): Fmap {
    return this.#inode.fmap;
  }
  readonly #inode: Inode;
  readonly #host: OpenFileHost;
  readonly #readOnly: boolean;
  /** Made when it is first mapped, or asked about losses. From then on it owns this handle's use of the inode. */
  #views: FileViews | undefined;
  #closed = false;
  #behind: MemoryBehind | undefined;
  #members: ReadonlyMap<string, FileMember> | undefined;

  /** @internal Volume.open() and Volume.create() make them. */
  static of(inode: Inode, host: OpenFileHost, readOnly: boolean): VolumeFile {
    return new VolumeFile(inode, host, readOnly);
  }

  private constructor(inode: Inode, host: OpenFileHost, readOnly: boolean) {
    // A handle that is dropped without close() before it is mapped keeps its inode in use until unmount. To notice that would cost every
    // open() a microsecond.
    this.#inode = inode.use();
    this.#host = host;
    this.#readOnly = readOnly;
    this.path = inode.path;
    this.size = inode.size;
  }

  /**
   * A view of [offset, offset + length), default the whole file; always exactly that long. One view per
   * span: asking again gives the same. Its length becomes 0 with close(), with the volume, when the device
   * is disabled and when memory under it fails.
   * Without `writable` a stray store stays private to this process (on dax devices, which have no private
   * mappings, it is a fatal fault).
   * @throws DaxError EINVAL outside the file; ERANGE over 4 GiB; EIO failed memory, or data past an image's end;
   *   EROFS, EBADF writable where it is not; ENOMEM too many pieces; ENXIO device gone
   */
  map(options: MapOptions & { writable: true }): Uint8Array<ArrayBuffer>;
  map(options?: MapOptions): ReadonlyUint8Array;
  map(options: MapOptions = {}): ReadonlyUint8Array {
    return this.#map(options).bytes as unknown as ReadonlyUint8Array;
  }

  /**
   * Ends one view before the file is closed: what shows its span (of map(), mapAs() or windows(), through this handle) gets length 0,
   * unless another handle has the same span or a pin is on it.
   * @throws DaxError EINVAL no live view of this file
   */
  unmap(view: ArrayBufferView): void {
    if (this.#views?.unmap(view)) return;
    this.#refuseView('unmap');
  }

  /**
   * Keeps a view as it is over close() of this file and of the volume, until the pin is released: for native work that is
   * still under way in it (sockets, streams, compression, hashes, fs.write).
   *
   *     const pin = file.pin(view)
   *     response.end(view, () => pin.release())
   *     file.close()
   *
   * The last pin that is released does what close() could not do yet; the device stays held until then. What takes the
   * memory itself away (disable, a memory failure, close() of the machine) does not wait for pins.
   * @param view from map(), mapAs() or windows() of this file, or any view on the same bytes
   * @throws DaxError EINVAL no view of this file, or one that ended or was moved away; EBADF, ENXIO
   */
  pin(view: ArrayBufferView): ViewPin {
    this.check();
    return this.#views?.pin(view) ?? this.#refuseView('pin');
  }

  /**
   * map() as a typed array or DataView. `offset` and `length` are bytes.
   * @throws DaxError EINVAL when offset or length is not a multiple of the element size; else as map()
   */
  mapAs<T>(type: ViewConstructor<T>, options: MapOptions & { writable: true }): T;
  mapAs<T>(type: ViewConstructor<T>, options?: MapOptions): ReadonlyView<T>;
  mapAs<T>(type: ViewConstructor<T>, options: MapOptions = {}): ReadonlyView<T> {
    const elementBytes = type.BYTES_PER_ELEMENT ?? 1;
    const { offset = 0, length = this.size - offset } = options;
    if (offset % elementBytes !== 0 || length % elementBytes !== 0) {
      fail(
        'EINVAL',
        `${length} bytes at ${offset} of ${this.path} are not whole ${type.name}s of ${elementBytes} bytes: ` +
          'give an offset and a length that are multiples of that',
        { path: this.path },
      );
    }
    const mapping = this.#map(options);
    const { bytes } = mapping;
    // The constructor of Buffer is deprecated, and says so on stderr.
    const view =
      (type as unknown) === Buffer
        ? (Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length) as T)
        : new type(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength / elementBytes);
    return mapping.give(view as T & object) as ReadonlyView<T>;
  }

  /** The file as views of `size` bytes (default 1 GiB; the last may be shorter), each as from map(). */
  windows(options: WindowOptions & { writable: true }): IterableIterator<Uint8Array<ArrayBuffer>>;
  windows(options?: WindowOptions): IterableIterator<ReadonlyUint8Array>;
  *windows({
    size = DEFAULT_WINDOW_BYTES,
    writable = false,
  }: WindowOptions = {}): IterableIterator<ReadonlyUint8Array> {
    if (!Number.isSafeInteger(size) || size <= 0 || size > MAX_VIEW_BYTES) {
      fail('EINVAL', `a window of ${size} bytes is not possible: 1 byte to 4 GiB`, { path: this.path });
    }
    for (let offset = 0; offset < this.size; offset += size) {
      yield this.map({ offset, length: Math.min(size, this.size - offset), writable });
    }
  }

  /**
   * The members of the file, if it is a zip or tar archive: by name, in its order. Read once for this handle.
   * @throws DaxError EINVAL no archive; EBADMSG damaged, or members share bytes; EOPNOTSUPP in several parts; as read()
   */
  members(): ReadonlyMap<string, FileMember> {
    this.check();
    this.#members ??= membersOf(this);
    return this.#members;
  }

  /** One member of the archive: its bytes are seen where they are. @throws DaxError ENOENT none of that name; as members() */
  member(name: string): FileMember {
    const found = this.members().get(name.replace(/\/$/, ''));
    if (found) return found;
    return fail('ENOENT', `${this.path} has no member '${name}': members() has the names`, {
      path: this.path,
    });
  }

  /** Copies bytes out; always safe. @returns how many, 0 at or past the end @throws DaxError EINVAL, EIO, ENXIO */
  read(into: Uint8Array, position: number): number {
    this.check();
    this.#checkBytes(into, position);
    if (!this.#host.coherent && position < this.size) {
      this.#host.refetch(this.fmap, position, Math.min(into.length, this.size - position));
    }
    return this.#inode.dax.read(into, position);
  }

  /**
   * Copies bytes in; all of them. Whole pages repair failed memory under them.
   * @throws DaxError ENOSPC past the end (nothing written), EROFS, EBADF, EINVAL, EIO, ENXIO
   */
  write(bytes: Uint8Array, position: number): number {
    this.check();
    this.#checkWritable();
    this.#checkBytes(bytes, position);
    const { dax } = this.#inode;
    const { recoveries } = dax;
    const written = dax.write(bytes, position);
    // Pages that were written whole are good again: looking at the device tells the other processes.
    if (dax.recoveries !== recoveries) this.#host.check();
    if (this.#host.flushes) this.#host.flush(this.fmap, position, written);
    return written;
  }

  /**
   * Whether what is stored through a view needs writeBack() before others see it, or before it survives power loss.
   * False on memory whose users share caches.
   */
  get needsWriteBack(): boolean {
    return this.#host.flushes;
  }

  /** Writes the cache lines of bytes back to the memory, and orders them before what is stored next. */
  writeBack(offset = 0, length = this.size - offset): void {
    this.check();
    if (this.#host.flushes) this.#host.flush(this.fmap, offset, length);
  }

  /**
   * Makes the next loads of bytes through a view look at the memory, not at what our caches remember of it. Nothing to do where
   * all users of the memory share caches.
   */
  refetch(offset = 0, length = this.size - offset): void {
    this.check();
    if (!this.#host.coherent) this.#host.refetch(this.fmap, offset, length);
  }

  /** Whether loads through a view may show old bytes until refetch(): memory of hosts that do not share caches. */
  get needsRefetch(): boolean {
    return !this.#host.coherent;
  }

  /**
   * Proves that all memory behind the file is there now. A view cannot tell: a load from a page that was lost (somebody cut the
   * file of a region) ends the process. Half a microsecond; read() and write() ask by themselves.
   * @throws DaxError EIO naming the file, its end and the range
   */
  checkMemory(): void {
    this.memoryBehind.check();
  }

  /** @internal What checkMemory() asks, for those who ask for several files at once. */
  get memoryBehind(): MemoryBehind {
    this.#behind ??= this.#inode.dax.memoryOf(0, this.size);
    return this.#behind;
  }

  /**
   * Where the bytes lie in files and devices of this host, for programs that map them themselves. The pieces stay true as long as
   * the volume is this one: whoever maps them should keep it open, or have it mounted.
   * @throws DaxError EIO some of the memory has failed, or was cut
   */
  hostMap(): HostMap {
    this.check();
    this.checkMemory();
    return hostMapOf(this.size, this.#inode.dax.backingPieces());
  }

  /**
   * Locks bytes of the file against other handles, processes included, of this host. Advisory; ends with release()
   * or with the process.
   * @returns null when another handle has a lock on some of them
   * @throws DaxError EROFS, EBADF on what cannot be written; ENXIO
   */
  lock(offset = 0, length = this.size - offset): FileLock | null {
    this.check();
    this.#checkWritable();
    return this.#host.lock(this.fmap, offset, length);
  }

  /** @internal Locks on single bytes, with one descriptor for all; the caller closes it. @throws DaxError as lock() */
  byteLocks(): ByteLocks {
    this.check();
    this.#checkWritable();
    return this.#host.byteLocks(this.fmap);
  }

  /** Tells when memory under this handle's views fails or their device goes; the views have length 0 then. */
  onLost(listener: (error: DaxError) => void): void {
    this.#ownViews.onLost(listener);
  }

  /** The same as a signal, for what takes one: aborted, with the DaxError as its reason, when memory under a view of this handle is lost. */
  get lost(): AbortSignal {
    return this.#ownViews.lost;
  }

  /**
   * The views of this handle get length 0, unless another handle has the same span or a pin is on it. Idempotent.
   * Native work that is under way in a view without a pin reads zeroes from now on.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#views) this.#views.close();
    else this.#inode.release();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #map({ offset = 0, length = this.size - offset, writable = false }: MapOptions): DaxMapping {
    this.check();
    if (writable) this.#checkWritable();
    if (length > MAX_VIEW_BYTES) {
      fail(
        'ERANGE',
        `${length} bytes of ${this.path} do not fit one view (4 GiB): walk it with windows(), or map a part`,
        { path: this.path },
      );
    }
    return this.#ownViews.map(offset, length, writable);
  }

  get #ownViews(): FileViews {
    if (this.#views) return this.#views;
    // close() has given the use of the inode back, and a listener that comes later must not give back another handle's.
    this.#views = new FileViews(this.#closed ? this.#inode.use() : this.#inode, this.#host);
    if (this.#closed) this.#views.close();
    return this.#views;
  }

  #refuseView(act: string): never {
    return fail(
      'EINVAL',
      `that is no live view of ${this.path}: ${act} what map(), mapAs() or windows() gave`,
      {
        path: this.path,
      },
    );
  }

  /** For callers that use views of the file: throws what read() would throw. @throws DaxError EBADF closed, ENXIO, ESTALE */
  check(): void {
    if (this.#closed) fail('EBADF', `${this.path} is closed: open it again`, { path: this.path });
    this.#host.check();
  }

  /** Refuses wider arrays: set() would copy their numbers, not their bytes. */
  #checkBytes(bytes: unknown, position: unknown): void {
    if (typeof position !== 'number') {
      fail('EINVAL', `a position in ${this.path} is a number of bytes, not ${shown(position)}`, {
        path: this.path,
      });
    }
    if (isBytes(bytes)) return;
    fail(
      'EINVAL',
      `bytes of ${this.path} go to and from a Uint8Array: wrap the buffer of another array in one`,
      {
        path: this.path,
      },
    );
  }

  #checkWritable(): void {
    this.#host.checkStores(this.path);
    if (this.#readOnly) {
      fail('EBADF', `${this.path} was opened with writable: false: open it for writing`, { path: this.path });
    }
  }
}

const mapOptions = optional(
  options({ offset: optional(number), length: optional(number), writable: optional(flag) }),
);
const range = { offset: optional(number), length: optional(number) };

checkMethods(VolumeFile, {
  member: { name: text },
  unmap: { view: arrayView },
  map: { options: mapOptions },
  mapAs: { type: viewConstructor, options: mapOptions },
  windows: { options: optional(options({ size: optional(number), writable: optional(flag) })) },
  writeBack: range,
  refetch: range,
  lock: range,
  onLost: { listener: callback },
});
