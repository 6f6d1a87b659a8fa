import type { FileSpans, Volume, VolumeFile } from '../../famfs/index.js';
import type { FuseReadAnswer } from '../../fuse/index.js';
import { fail } from '../../libc/index.js';
import type { NewFile } from './new-files.js';

/** The open file behind a handle of the kernel. */
export interface OpenFile {
  read(offset: number, length: number, answer: FuseReadAnswer): void;
  /**
   * @param unique of the request, for a file that lets another thread answer it (ANSWERED_LATER)
   * @throws DaxError EFBIG past the end of a file that cannot grow; EBADF opened for reading; ENOSPC
   */
  write(bytes: Uint8Array, offset: number, unique: number): number;
  /** Handles one close(2) of a descriptor. `pid` is the thread that calls it. close(2) returns the error that is thrown here. */
  flush(pid: number): void;
  /** Handles the end of the handle: its last user is gone. No program sees an error. */
  release(): void;
  /** Gives back what the handle holds, and does nothing else. Called when the mount has ended. */
  close(): void;
}

/** Opens a file that the log names, by system calls instead of memory. */
export type OpenDirectly = (ino: number, writable: boolean) => OpenFile;

/** Opens files that the log names. The handles of one file share its spans. */
export class LoggedFiles {
  readonly volume: Volume;
  readonly #direct: OpenDirectly | null;
  readonly #spans = new Map<number, { spans: FileSpans | null; uses: number }>();

  /** @param direct opens files whose memory is not mapped here */
  constructor(volume: Volume, direct: OpenDirectly | null = null) {
    this.volume = volume;
    this.#direct = direct;
  }

  open(ino: number, writable: boolean): OpenFile {
    if (this.#direct !== null) return this.#direct(ino, writable);
    const known = this.#spans.get(ino) ?? { spans: this.volume.inodes.spans(ino), uses: 0 };
    const file = new LoggedFile(this, ino, known.spans, writable);
    known.uses++;
    this.#spans.set(ino, known);
    return file;
  }

  closed(ino: number): void {
    const known = this.#spans.get(ino);
    if (known && --known.uses === 0) this.#spans.delete(ino);
  }
}

/** An open file that the log names. Reads are answered with addresses of the memory itself. */
class LoggedFile implements OpenFile {
  readonly ino: number;
  readonly size: number;
  readonly #files: LoggedFiles;
  readonly #volume: Volume;
  readonly #spans: FileSpans | null;
  /** Present when the file was opened for writing, or when it has no spans and reads must copy. */
  readonly #file: VolumeFile | null;

  /** LoggedFiles.open() makes it. */
  constructor(files: LoggedFiles, ino: number, spans: FileSpans | null, writable: boolean) {
    const { inodes } = files.volume;
    this.ino = ino;
    this.#files = files;
    this.#volume = files.volume;
    this.size = inodes.stat(ino).size;
    this.#spans = spans;
    this.#file = writable || spans === null ? inodes.open(ino, { writable }) : null;
  }

  read(offset: number, length: number, answer: FuseReadAnswer): void {
    const bytes = Math.min(length, this.size - offset);
    if (bytes <= 0) return;
    if (this.#spans === null) {
      const copy = new Uint8Array(bytes);
      answer.addBytes(copy.subarray(0, this.#file!.read(copy, offset)));
      return;
    }
    this.#volume.inodes.check();
    this.#spans.visit(offset, bytes, answer);
  }

  write(bytes: Uint8Array, offset: number): number {
    if (offset + bytes.length > this.size && bytes.length > 0)
      failToGrow(this.#volume.inodes.pathOf(this.ino), 'written');
    if (this.#file === null) return fail('EBADF', 'this file was opened for reading');
    return this.#file.write(bytes, offset);
  }

  /** Does nothing: closing a published file has no effect. */
  flush(): void {}

  release(): void {
    this.close();
  }

  close(): void {
    this.#file?.close();
    this.#files.closed(this.ino);
  }
}

/** Fails with EFBIG: of the errors that programs explain to users, it fits a file that may not become larger best. */
export function failToGrow(path: string, what: string): never {
  return fail(
    'EFBIG',
    `${path} keeps its size: nothing can be ${what} behind its end (a famfs file has the size it was published with)`,
    { path },
  );
}

/** Decides what happens to files in the making. */
export interface FileMaker {
  /** A descriptor that was opened for writing is being closed. @throws DaxError why the file cannot be published, at the last close */
  closing(file: NewFile, pid: number): void;
  /** A handle is about to end: publishes the file, keeps it, or gives it up. */
  releasing(file: NewFile, writable: boolean): void;
  /** A handle has ended. */
  released(file: NewFile): void;
  /** Opens a file that was published meanwhile. */
  openLogged(ino: number, writable: boolean): OpenFile;
}

/** An open file in the making. Once the file is published, the handle uses the logged file. */
export class GrowingHandle implements OpenFile {
  readonly #file: NewFile;
  readonly #writable: boolean;
  readonly #maker: FileMaker;
  #logged: OpenFile | null = null;

  constructor(file: NewFile, writable: boolean, maker: FileMaker) {
    this.#file = file;
    this.#writable = writable;
    this.#maker = maker;
    file.opens++;
  }

  read(offset: number, length: number, answer: FuseReadAnswer): void {
    const logged = this.#whenLogged();
    if (logged) logged.read(offset, length, answer);
    else this.#file.growing.drain(offset, length, (bytes) => answer.addBytes(bytes));
  }

  write(bytes: Uint8Array, offset: number, unique: number): number {
    if (!this.#writable) fail('EBADF', 'this file was opened for reading');
    const logged = this.#whenLogged();
    return logged ? logged.write(bytes, offset, unique) : this.#file.growing.write(bytes, offset);
  }

  flush(pid: number): void {
    if (this.#writable) this.#maker.closing(this.#file, pid);
  }

  release(): void {
    try {
      this.#maker.releasing(this.#file, this.#writable);
    } finally {
      this.close();
      this.#maker.released(this.#file);
    }
  }

  close(): void {
    this.#file.opens--;
    this.#logged?.close();
  }

  #whenLogged(): OpenFile | null {
    const { ino } = this.#file;
    if (ino !== null) this.#logged ??= this.#maker.openLogged(ino, this.#writable);
    return this.#logged;
  }
}
