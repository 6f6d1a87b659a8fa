import type { FileSpans, Volume, VolumeFile } from '../../famfs/index.js';
import type { FuseReadAnswer } from '../../fuse/index.js';
import { fail } from '../../libc/index.js';
import type { NewFile } from './new-files.js';

/** What a handle of the kernel stands for. */
export interface OpenFile {
  read(offset: number, length: number, answer: FuseReadAnswer): void;
  /** @throws DaxError EFBIG past the end of what cannot grow; EBADF opened for reading; ENOSPC */
  write(bytes: Uint8Array, offset: number): number;
  /** One close(2) of a descriptor, by a thread of some process. What it throws is what close(2) returns. */
  flush(pid: number): void;
  /** The last user is gone, and the handle with him. Errors reach nobody. */
  release(): void;
  /** The mount has ended: what the handle holds is given back, and nothing else. */
  close(): void;
}

/** Files that the log names, as they are opened: what is found out of one is shared by its handles. */
export class LoggedFiles {
  readonly volume: Volume;
  readonly #spans = new Map<number, { spans: FileSpans | null; uses: number }>();

  constructor(volume: Volume) {
    this.volume = volume;
  }

  open(ino: number, writable: boolean): LoggedFile {
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
export class LoggedFile implements OpenFile {
  readonly ino: number;
  readonly size: number;
  readonly #files: LoggedFiles;
  readonly #volume: Volume;
  readonly #spans: FileSpans | null;
  /** There when it was opened for writing, or when reads have to go the careful way. */
  readonly #file: VolumeFile | null;

  /** Made by LoggedFiles.open(). */
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

  /** It is as it is: nobody has anything to say at its end. */
  flush(): void {}

  release(): void {
    this.close();
  }

  close(): void {
    this.#file?.close();
    this.#files.closed(this.ino);
  }
}

/** Of the errors that a program explains, the one that says it: a file that may not become larger. */
export function failToGrow(path: string, what: string): never {
  return fail(
    'EFBIG',
    `${path} keeps its size: nothing can be ${what} behind its end (a famfs file has the size it was published with)`,
    { path },
  );
}

/** Who decides what becomes of files in the making. */
export interface FileMaker {
  /** A descriptor that was opened for writing is closed. @throws DaxError what is wrong with the file, to whoever closes the last one */
  closing(file: NewFile, pid: number): void;
  /** A handle goes: the file is published, kept, or not to be. */
  releasing(file: NewFile, writable: boolean): void;
  /** A handle is gone. */
  released(file: NewFile): void;
  /** Opens what was published meanwhile. */
  openLogged(ino: number, writable: boolean): LoggedFile;
}

/** An open file in the making, and what becomes of the handle when somebody publishes it. */
export class GrowingHandle implements OpenFile {
  readonly #file: NewFile;
  readonly #writable: boolean;
  readonly #maker: FileMaker;
  #logged: LoggedFile | null = null;

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

  write(bytes: Uint8Array, offset: number): number {
    if (!this.#writable) fail('EBADF', 'this file was opened for reading');
    const logged = this.#whenLogged();
    return logged ? logged.write(bytes, offset) : this.#file.growing.write(bytes, offset);
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

  #whenLogged(): LoggedFile | null {
    const { ino } = this.#file;
    if (ino !== null) this.#logged ??= this.#maker.openLogged(ino, this.#writable);
    return this.#logged;
  }
}
