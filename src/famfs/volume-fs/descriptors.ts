import { constants } from 'node:fs';
import { fail } from '../../libc/index.js';
import type { VolumeFile } from '../volume/file.js';
import type { FileStat } from '../volume/types.js';
import type { ReadableVolume } from './source.js';

/** Far above any descriptor of the kernel. A descriptor that is passed to node:fs by mistake is EBADF there, not another file. */
const FIRST_DESCRIPTOR = 2 ** 30;
const WRITING =
  constants.O_WRONLY | constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC | constants.O_APPEND;
const readingFlags = new Set(['r', 'rs', 'sr']);

export interface OpenDescriptor {
  stat: FileStat;
  /** Null for a directory. */
  file: VolumeFile | null;
  /** Where the next read without a position starts. */
  position: number;
}

/** The open files of one volume's `fs`. */
export class Descriptors {
  readonly #volume: ReadableVolume;
  readonly #open = new Map<number, OpenDescriptor>();
  #next = FIRST_DESCRIPTOR;

  constructor(volume: ReadableVolume) {
    this.#volume = volume;
  }

  /** Opens a file or directory. @throws DaxError EROFS for flags that write; ENOENT, ENOTDIR, ENODEV */
  open(path: string, flags: string | number): number {
    checkReading(path, flags, this.#volume.device);
    const stat = this.#volume.stat(path);
    const file = stat.isDirectory() ? null : this.#volume.open(path, { writable: false });
    const fd = this.#next++;
    this.#open.set(fd, { stat, file, position: 0 });
    return fd;
  }

  get(fd: number, syscall: string): OpenDescriptor {
    const open = this.#open.get(fd);
    return open ?? fail('EBADF', `${fd} is no open file of ${this.#volume.device}`, { syscall });
  }

  /** The file behind a descriptor. @throws DaxError EBADF, EISDIR */
  file(fd: number, syscall: string): OpenDescriptor & { file: VolumeFile } {
    const open = this.get(fd, syscall);
    if (open.file !== null) return open as OpenDescriptor & { file: VolumeFile };
    return fail('EISDIR', `${open.stat.path} is a directory`, { syscall, path: open.stat.path });
  }

  close(fd: number): void {
    this.get(fd, 'close').file?.close();
    this.#open.delete(fd);
  }
}

function checkReading(path: string, flags: string | number, device: string): void {
  const reads = typeof flags === 'string' ? readingFlags.has(flags) : (flags & WRITING) === 0;
  if (reads) return;
  fail(
    'EROFS',
    `${path} on ${device} cannot be opened with flags ${flags}: volume.fs reads; write with volume.open()`,
    {
      path,
      syscall: 'open',
    },
  );
}
