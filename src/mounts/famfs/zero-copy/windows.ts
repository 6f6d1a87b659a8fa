import type { Fmap } from '../../../famfs/index.js';
import type { NodeId } from '../../../fuse/index.js';
import { fail } from '../../../libc/index.js';
import type { MountedDevice } from '../../../machine/index.js';
import type { OwnFile, OwnFiles } from './own-files.js';

/** A hidden file over the whole device, by which the server stores to space of files in the making. */
interface Window {
  readonly file: OwnFile;
  readonly fd: number;
  /** Bytes of files in the making that are reached through it. */
  bytes: number;
  /** Takes no further files: it ends when the last of them is published or given up. */
  isClosing: boolean;
}

/** Device bytes that the inode of a window may remember. */
interface Range {
  readonly start: number;
  readonly end: number;
  readonly node: NodeId;
  /** Gives the space back, once nothing remembers it. */
  release: () => void;
}

/** What windows need of the thread that opens and closes files of the mount. */
export interface WindowOpener {
  open(name: string): void;
  close(name: string, fd: number): void;
}

/**
 * The memory of files in the making. The kernel remembers for each page by which inode it was mapped, until that inode is dropped. So
 * the server maps reserved space through a window, and programs get a map of a published file only when the kernel has forgotten the
 * window it was written through.
 *
 *     reserve -> mapped through the current window -> published or given up -> window has no files left: unmapped, closed,
 *     its name dropped -> RELEASE, FORGET -> its pages are free for the inodes of the published files
 *
 * A window takes files until one of its files ends; then the next one does, which is open already. So a file that is written for
 * hours holds back only those that were begun in the same moment.
 */
export class Windows {
  readonly #device: MountedDevice;
  readonly #files: OwnFiles;
  readonly #opener: WindowOpener;
  #open: Window[] = [];
  #count = 0;
  /** The next window was asked for and is not open yet. */
  #isNextAsked = false;
  #remembered: Range[] = [];

  constructor(device: MountedDevice, files: OwnFiles, opener: WindowOpener) {
    this.#device = device;
    this.#files = files;
    this.#opener = opener;
  }

  /** Makes the hidden file of the next window. Somebody else must open it. */
  next(): string {
    this.#count++;
    return this.#files.add(`.window.${this.#count}`, 0, this.#device.dax.size, true).name;
  }

  /** A window was opened. */
  opened(file: OwnFile, fd: number): void {
    this.#open.push({ file, fd, bytes: 0, isClosing: false });
    this.#isNextAsked = false;
    this.#endUnused();
  }

  /** Puts reserved space of a new file behind the current window. @throws DaxError EAGAIN no window is open */
  reach(fmap: Fmap): void {
    const window = this.#open.find(({ isClosing }) => !isClosing) ?? this.#open.at(-1);
    if (window === undefined)
      fail('EAGAIN', `${this.#device.name}: no file can be made before the mount is complete`);
    for (const { offset, length } of fmap.extents) {
      this.#device.show(offset, length, { fd: window.fd, fileStart: 0 });
      window.bytes += length;
      const { node } = window.file;
      this.#remembered.push({ start: offset, end: offset + length, node, release: () => {} });
    }
  }

  /**
   * The space of a new file is not stored to any more.
   * @param release called once the kernel remembers none of it: only then may another file get it
   */
  leave(fmap: Fmap, release: () => void): void {
    let left = fmap.extents.length;
    const released = () => {
      if (--left === 0) release();
    };
    for (const { offset, length } of fmap.extents) {
      const range = this.#remembered.find(({ start, end }) => start === offset && end === offset + length);
      const window = this.#open.find(({ file }) => file.node === range?.node);
      if (range === undefined || window === undefined) {
        released();
        continue;
      }
      range.release = released;
      window.bytes -= length;
      window.isClosing = true;
    }
    this.#endUnused();
  }

  /** Ends windows without files. One stays open, because a file may be made at any time: the next one is asked for first. */
  #endUnused(): void {
    if (this.#open.every(({ isClosing }) => isClosing)) {
      if (!this.#isNextAsked) this.#opener.open(this.next());
      this.#isNextAsked = true;
      return;
    }
    for (const window of this.#open.filter(({ isClosing, bytes }) => isClosing && bytes === 0)) {
      this.#open = this.#open.filter((other) => other !== window);
      this.#device.hide(window.fd);
      this.#opener.close(window.file.name, window.fd);
    }
  }

  /** The kernel has dropped an inode, and what it remembered. */
  forgotten(node: NodeId): void {
    const freed = this.#remembered.filter((range) => range.node === node);
    this.#remembered = this.#remembered.filter((range) => range.node !== node);
    for (const { release } of freed) release();
  }

  /** Whether an inode of a window may remember some of these bytes. */
  remembers(fmap: Fmap): boolean {
    if (this.#remembered.length === 0) return false;
    return fmap.extents.some(({ offset, length }) =>
      this.#remembered.some(({ start, end }) => start < offset + length && offset < end),
    );
  }
}
