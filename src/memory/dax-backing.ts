import fs from 'node:fs';
import path from 'node:path';
import {
  closeDescriptor,
  closing,
  DaxError,
  dropCacheLines,
  fail,
  MAP_SHARED,
  mmap,
  munmap,
  PROT_READ,
  persistMemory,
  whenClosed,
  whenCollected,
  zeroMemory,
} from '../libc/index.js';
import type { Backing } from './backing.js';
import { checkByteRange, checkInside, errorAbout, withShortMapping } from './backing-range.js';

/** What sysfs says about a dax character device. */
export interface DaxNode {
  /** Bytes. */
  size: number;
  /** Bytes: offsets and lengths of mappings are multiples of this. */
  align: number;
  /** The memory survives power loss: it is of an NVDIMM region. CXL and soft-reserved memory is not persistent. */
  persistent: boolean;
  /** Its directory in sysfs, with links resolved. */
  directory: string;
}

/** Splits a device number as makedev(3) packs it. */
export function deviceNumbers(rdev: number): { major: number; minor: number } {
  const high = Math.floor(rdev / 2 ** 32);
  const low = rdev % 2 ** 32;
  return {
    major: ((low >>> 8) & 0xfff) + ((high & 0xfffff000) >>> 0),
    minor: (low & 0xff) + ((low >>> 12) & 0xfff00),
  };
}

/**
 * Looks a character device up in sysfs (`/sys/dev/char/MAJOR:MINOR`).
 * @throws DaxError ENODEV when it is no dax device, EIO when an attribute cannot be understood
 */
export function readDaxNode(name: string, rdev: number, sysfs = '/sys'): DaxNode {
  const { major, minor } = deviceNumbers(rdev);
  const link = path.join(sysfs, 'dev/char', `${major}:${minor}`);
  const refuse = (why: string): never =>
    fail('ENODEV', `${name} (device ${major}:${minor}) ${why}: give a /dev/daxX.Y device or a file`, {
      path: name,
    });
  if (!fs.existsSync(link)) return refuse('is not known to sysfs');
  const directory = fs.realpathSync(link);
  const subsystem = path.join(directory, 'subsystem');
  if (!fs.existsSync(subsystem) || path.basename(fs.realpathSync(subsystem)) !== 'dax') {
    return refuse('is a character device but not a dax device');
  }
  return {
    size: readBytes(name, path.join(directory, 'size')),
    align: readBytes(name, path.join(directory, 'align')),
    persistent: directory.split('/').some((part) => /^ndbus\d+$/.test(part)),
    directory,
  };
}

function readBytes(name: string, attribute: string): number {
  let text: string;
  try {
    text = fs.readFileSync(attribute, 'latin1').trim();
  } catch (cause) {
    throw new DaxError('EIO', `${attribute} of ${name} cannot be read: is the device going away?`, {
      path: attribute,
      cause,
    });
  }
  const bytes = /^(0x[0-9a-f]+|[0-9]+)$/i.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(bytes))
    fail('EIO', `${attribute} of ${name} is no byte count: '${text}'`, { path: attribute });
  return bytes;
}

export interface DaxFacts {
  name: string;
  fd: number;
  rdev: number;
  node: DaxNode;
  writable: boolean;
  coherent: boolean;
  sysfs: string;
}

/** A `/dev/daxX.Y` device: mapped shared, in multiples of its align. It has no read(2) and write(2). */
export class DaxBacking implements Backing {
  readonly kind = 'devdax';
  readonly name: string;
  readonly identity: string;
  readonly size: number;
  readonly granule: number;
  readonly writable: boolean;
  readonly sharedOnly = true;
  readonly canShrink = false;
  readonly isSparse = false;
  readonly coherent: boolean;
  readonly persistent: boolean;
  readonly #rdev: number;
  readonly #sysfs: string;
  readonly #sizePath: string;
  #fd: number;
  /** The whole device, mapped for cache-line instructions; address 0 before the first of them. */
  readonly #lines = { address: 0 };

  /** Takes over the descriptor. */
  constructor(facts: DaxFacts) {
    const { major, minor } = deviceNumbers(facts.rdev);
    this.name = facts.name;
    this.identity = `rdev:${major}:${minor}`;
    this.size = facts.node.size;
    this.granule = facts.node.align;
    this.writable = facts.writable;
    this.coherent = facts.coherent;
    this.persistent = facts.node.persistent;
    this.#rdev = facts.rdev;
    this.#sysfs = facts.sysfs;
    this.#sizePath = path.join(facts.node.directory, 'size');
    this.#fd = facts.fd;
    whenCollected(this, facts.name, ending(facts.fd, this.#lines, this.size));
  }

  /** @throws DaxError EBADF after close(): the number may belong to another file by then */
  get fd(): number {
    if (this.#fd < 0) fail('EBADF', `${this.name} was closed: open it again`, { path: this.name });
    return this.#fd;
  }

  checkRange(offset: number, length: number): void {
    checkInside(this.name, this.endNow(), offset, length);
  }

  /** Runs at every map and create, so it reads the size attribute alone. When that fails, the full lookup says why. */
  endNow(): number {
    try {
      return readBytes(this.name, this.#sizePath);
    } catch {
      return readDaxNode(this.name, this.#rdev, this.#sysfs).size;
    }
  }

  ensure(offset: number, length: number): boolean {
    this.checkRange(offset, length);
    return true;
  }

  zero(offset: number, length: number): void {
    if (!this.writable)
      fail('EACCES', `${this.name} is open for reading: open it writable to zero it`, { path: this.name });
    this.checkRange(offset, length);
    this.#withMemory(offset, length, true, (address) => zeroMemory(address, length));
  }

  sync(offset: number, length: number): void {
    checkByteRange(this.name, offset, length);
    if (this.coherent && !this.persistent) return;
    persistMemory(this.#lineAddress(offset, length), length);
  }

  invalidate(offset: number, length: number): void {
    if (this.coherent) return;
    dropCacheLines(this.#lineAddress(offset, length), length);
  }

  close(): void {
    if (this.#fd < 0) return;
    whenClosed(this);
    closeDescriptor(this.#fd);
    this.#fd = -1;
    unmapLines(this.#lines, this.size);
  }

  /**
   * The address of a range in one lasting mapping of the whole device. Every append to a log and every message of a queue
   * flushes a few lines: a mapping and a sysfs lookup for each would cost many times the flush. The processor flushes a
   * line by any mapping of it. The size is not checked again: the caller has just stored to the range.
   */
  #lineAddress(offset: number, length: number): number {
    checkInside(this.name, this.size, offset, length);
    const { fd } = this;
    try {
      if (this.#lines.address === 0) this.#lines.address = mmap(0, this.size, PROT_READ, MAP_SHARED, fd, 0);
    } catch (error) {
      throw errorAbout(error, `${this.name} cannot be mapped to flush it`, this.name);
    }
    return this.#lines.address + offset;
  }

  #withMemory(offset: number, length: number, writable: boolean, use: (address: number) => void): void {
    try {
      withShortMapping({ fd: this.fd, offset, length, granule: this.granule, writable }, use);
    } catch (error) {
      throw errorAbout(error, `bytes ${offset}..${offset + length} of ${this.name}`, this.name);
    }
  }
}

function unmapLines(lines: { address: number }, size: number): void {
  if (lines.address !== 0) munmap(lines.address, size);
  lines.address = 0;
}

/** Releases a backing that is collected without close(). */
function ending(fd: number, lines: { address: number }, size: number): () => void {
  const close = closing(fd);
  return () => {
    unmapLines(lines, size);
    close();
  };
}
