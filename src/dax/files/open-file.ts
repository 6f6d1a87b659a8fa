import { fail } from '../../libc/index.js';
import type { Mapping } from '../../memory/index.js';
import { PAGE_SIZE } from '../../mm/index.js';
import { type Binding, DevDax } from '../regions/dev-dax.js';
import { lengthOf, sizeOf } from '../regions/ranges.js';
import type { FileHost, MappedFile } from './file-host.js';
import { RawMapping } from './raw-mapping.js';
import { Vma } from './vma.js';

export interface OpenFlags {
  /** Default 'rw'. */
  access?: 'ro' | 'wo' | 'rw';
  /** O_DIRECT: refused. */
  direct?: boolean;
  /** O_PATH: opens any node that exists; the file can only be closed. */
  path?: boolean;
  /** The process of its mappings: chosen addresses of one process lie below each other. Default: one process for all. */
  process?: string;
}

export interface MmapOptions {
  /** Bytes, a multiple of 4096. Not checked against the device's size. */
  offset: number;
  length: number;
  /** Subset of "rwx"; "" is PROT_NONE. */
  prot: string;
  type: 'shared' | 'private' | 'shared_validate';
  /** MAP_SYNC. */
  sync?: boolean;
  populate?: boolean;
  /** MAP_FIXED at this address. Default: as a kernel would choose. */
  address?: number;
}

export type Whence = 'set' | 'cur' | 'end' | 'data' | 'hole';

/** Top of a process's mappings: aligned to a page and no more, as with a kernel. */
const MMAP_TOP = 0x7ffff7ff3000;
/** Succeed on any file: FIONBIO, FIOCLEX, FIONCLEX. */
const GENERIC_IOCTLS: readonly number[] = [0x5421, 0x5451, 0x5450];

/**
 * One open(2) of a device node, with the answers of kernel-dax.md 7. It belongs to the binding under which it was opened.
 * When that binding is undone, the file is dead for good, also after a rebind (kernel-dax.md 12.1).
 */
export class OpenFile implements MappedFile<Vma> {
  readonly #mappings = new Set<object>();
  /** The device had no driver when the file was opened (kernel-dax.md 12.2). */
  readonly #openedUnbound: boolean;
  #closed = false;
  #released = false;

  constructor(
    readonly host: FileHost<Vma>,
    readonly device: DevDax,
    /** null: O_PATH. */
    readonly binding: Binding | null,
    readonly flags: OpenFlags,
  ) {
    this.#openedUnbound = binding !== null && device.binding === null;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** True when the file is closed and no mapping keeps it. */
  get released(): boolean {
    return this.#released;
  }

  /** True while the device has the binding under which the file was opened. */
  get live(): boolean {
    if (this.binding === null || !this.device.present) return false;
    if (this.device.binding === this.binding) return true;
    return this.device.binding !== null && this.device.platform.quirks.has('kernel72-rebind-open-file');
  }

  /** The ranges in which faults look up pages: those of the probe. */
  get ranges(): DevDax['ranges'] {
    const binding = this.device.binding ?? this.binding;
    return binding?.ranges ?? [];
  }

  get process(): string {
    return this.flags.process ?? '';
  }

  get #readable(): boolean {
    return this.flags.access !== 'wo';
  }

  get writable(): boolean {
    return this.flags.access !== 'ro';
  }

  /**
   * mmap(2). Offset and length are not checked against the size: an access beyond the end gets SIGBUS.
   * @throws DaxError EINVAL, EACCES, EOPNOTSUPP (generic checks), ENODEV (fsdev_dax), ENXIO (not bound any more), EBADF
   */
  mmap(options: MmapOptions): Vma {
    this.#mustBeOpen();
    this.#genericMmap(options);
    const { name, align } = this.device;
    if (this.binding?.file !== 'mmap')
      fail('ENODEV', `${name} is in famfs mode: it cannot be mapped raw`, { path: name });
    this.#mustBeLive();
    if (options.type === 'private') fail('EINVAL', `${name} can only be mapped shared`, { path: name });
    const length = Math.ceil(options.length / PAGE_SIZE) * PAGE_SIZE;
    const address = options.address ?? this.#chooseAddress(options.offset, length, align);
    if (address % align !== 0 || (address + length) % align !== 0)
      fail('EINVAL', `${name} is mapped in units of ${align} bytes: offset and length must be multiples`, {
        path: name,
      });
    const vma = new Vma(this, address, length, options.offset, options.prot);
    this.#mappings.add(vma);
    if (options.populate) vma.populate();
    return vma;
  }

  /**
   * Makes a real mapping into this process (decision 9). It is checked against the size, and its folios are pinned until it is
   * closed or killed.
   * @throws DaxError EINVAL out of bounds or no multiple of align; ENXIO, ENODEV, EBADF as mmap(); EACCES; ERANGE, ENOMEM from memory/
   */
  map(options: { offset: number; length: number; writable: boolean }): Mapping {
    this.#mustBeOpen();
    const { device } = this;
    const { name, align } = device;
    if (this.binding?.file !== 'mmap')
      fail('ENODEV', `${name} is in famfs mode: map its files, or reconfigure it to devdax mode`, {
        path: name,
      });
    this.#mustBeLive();
    if (options.writable && !this.writable) fail('EACCES', `${name} is open read-only`, { path: name });
    const { offset, length } = options;
    const size = sizeOf(this.ranges);
    if (!(length > 0) || !(offset >= 0) || offset % align !== 0 || length % align !== 0)
      fail(
        'EINVAL',
        `offset ${offset} and length ${length} of ${name} must be multiples of its align ${align}, the length not 0`,
      );
    if (offset + length > size)
      fail('EINVAL', `${offset}+${length} is beyond the end of ${name} (${size} bytes)`, { path: name });
    const mapping = new RawMapping(device, this.#pieces(offset, length), options.writable, () =>
      this.unmapped(mapping),
    );
    this.#mappings.add(mapping);
    return mapping;
  }

  read(_length: number): number {
    this.#mustBeOpen();
    if (!this.#readable) fail('EBADF', `${this.device.name} is open for writing only`);
    return fail('EINVAL', `${this.device.name} cannot be read: map it`);
  }

  write(_length: number): number {
    this.#mustBeOpen();
    if (!this.writable) fail('EBADF', `${this.device.name} is open for reading only`);
    return fail('EINVAL', `${this.device.name} cannot be written: map it`);
  }

  /** Always 0. */
  lseek(_offset: number, _whence: Whence): number {
    this.#mustBeOpen();
    return 0;
  }

  ioctl(command: number): number {
    this.#mustBeOpen();
    if (GENERIC_IOCTLS.includes(command)) return 0;
    return fail('ENOTTY', `${this.device.name} has no ioctl 0x${command.toString(16)}`);
  }

  fallocate(offset = 0, length = 1): never {
    this.#mustBeOpen();
    if (offset < 0 || length <= 0) fail('EINVAL', `there is no span ${offset}+${length}`);
    if (!this.writable) fail('EBADF', `${this.device.name} is open for reading only`);
    return fail('ENODEV', `${this.device.name} is no file: it has its size`);
  }

  ftruncate(): never {
    this.#mustBeOpen();
    return fail('EINVAL', `${this.device.name} cannot be truncated`);
  }

  fsync(): never {
    this.#mustBeOpen();
    return fail('EINVAL', `${this.device.name} has nothing to sync`);
  }

  /** Always POLLIN | POLLOUT. */
  poll(): ('in' | 'out')[] {
    this.#mustBeOpen();
    return ['in', 'out'];
  }

  /** Closes the file. Its mappings stay, and with them the module's references. @throws DaxError EBADF closed already */
  close(): void {
    if (this.#closed) fail('EBADF', `this file of ${this.device.name} is closed already`);
    this.#closed = true;
    this.#releaseIfUnused();
  }

  unmapped(mapping: object): void {
    this.#mappings.delete(mapping);
    this.#releaseIfUnused();
  }

  /** Adds a forked child's mapping: it keeps the file, too. */
  adopt(mapping: object): void {
    this.#mappings.add(mapping);
  }

  #releaseIfUnused(): void {
    if (this.#released || !this.#closed || this.#mappings.size > 0) return;
    this.#released = true;
    this.host.fileReleased(this);
  }

  #mustBeOpen(): void {
    if (this.#closed) fail('EBADF', `this file of ${this.device.name} is closed`);
    if (this.flags.path) fail('EBADF', `${this.device.name} was opened with O_PATH: it can only be closed`);
  }

  #mustBeLive(): void {
    if (this.live) return;
    const { name, platform } = this.device;
    if (this.#openedUnbound && platform.quirks.has('kernel72-open-after-unbind'))
      platform.report({
        quirk: 'kernel72-open-after-unbind',
        invariant: 'I3',
        text: `${name}: mmap through a node whose driver is gone (NULL dereference)`,
      });
    fail('ENXIO', `${name} was disabled since it was opened: open it again`, { path: name });
  }

  /** The checks that the kernel makes before it calls the driver. */
  #genericMmap({ length, offset, prot, type, sync }: MmapOptions): void {
    const { name } = this.device;
    if (!(length > 0)) fail('EINVAL', `cannot map ${length} bytes of ${name}`);
    if (offset % PAGE_SIZE !== 0)
      fail('EINVAL', `offset ${offset} of ${name} is not a multiple of ${PAGE_SIZE}`);
    if (type === 'shared_validate' && sync && this.binding?.file !== 'mmap')
      fail('EOPNOTSUPP', `${name} does not know MAP_SYNC in this mode`);
    if (!this.#readable) fail('EACCES', `${name} is open for writing only: a mapping needs to read`);
    if (type !== 'private' && prot.includes('w') && !this.writable)
      fail('EACCES', `${name} is open read-only: it cannot be mapped writable`);
  }

  /**
   * The address that a kernel would choose, top down. It is aligned like the offset, or just below the last mapping when the
   * span holds no whole unit.
   */
  #chooseAddress(offset: number, length: number, align: number): number {
    let lowest = MMAP_TOP;
    for (const vma of this.host.vmas)
      if (vma.file.process === this.process) lowest = Math.min(lowest, vma.address);
    const firstUnit = Math.ceil(offset / align) * align;
    if (offset + length - firstUnit < align) return lowest - length;
    const address = lowest - length - align;
    return address + ((((offset - address) % align) + align) % align);
  }

  #pieces(offset: number, length: number): { start: number; length: number }[] {
    const pieces: { start: number; length: number }[] = [];
    for (let done = 0; done < length; ) {
      const at = offset + done;
      const range = DevDax.rangeOf(this.ranges, at / PAGE_SIZE)!;
      const inRange = at - range.pageOffset * PAGE_SIZE;
      const part = Math.min(length - done, lengthOf(range) - inRange);
      pieces.push({ start: range.start + inRange, length: part });
      done += part;
    }
    return pieces;
  }
}
