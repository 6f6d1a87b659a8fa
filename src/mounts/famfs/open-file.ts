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

/** Opens a file that the volume has, by system calls instead of memory. */
export type OpenDirectly = (ino: number, writable: boolean) => OpenFile;

/** Changes the size of a file that the volume has: it is in the making again. @throws DaxError EFBIG it cannot be */
export type Grow = (ino: number) => NewFile;

/** What the handles of one file have in common. */
interface Shared {
  spans: FileSpans | null;
  /** Bytes. */
  size: number;
  /** Counts how often the file got other bytes. */
  version: number;
  uses: number;
  /** Handles that follow the file when it changes its size. */
  readonly followers: Set<LoggedFile>;
}

/** Opens files that the volume has. The handles of one file share its spans. */
export class LoggedFiles {
  readonly volume: Volume;
  /** Set by who makes files. */
  grow: Grow = (ino) => failToGrow(this.volume.inodes.pathOf(ino), 'written');
  readonly #direct: OpenDirectly | null;
  readonly #shared = new Map<number, Shared>();

  /** @param direct opens files whose memory is not mapped here */
  constructor(volume: Volume, direct: OpenDirectly | null = null) {
    this.volume = volume;
    this.#direct = direct;
  }

  /** Whether sizes of published files are final: where the kernel maps files for programs. */
  get areFinal(): boolean {
    return this.#direct !== null;
  }

  /** @param follows whether the handle goes on with what becomes of the file when it changes its size */
  open(ino: number, writable: boolean, follows = true): OpenFile {
    if (this.#direct !== null) return this.#direct(ino, writable);
    const known = this.#shared.get(ino) ?? this.#share(ino);
    const file = new LoggedFile(this, ino, known, writable);
    known.uses++;
    if (follows) known.followers.add(file);
    this.#shared.set(ino, known);
    return file;
  }

  #share(ino: number): Shared {
    const { inodes } = this.volume;
    return {
      spans: inodes.spans(ino),
      size: inodes.stat(ino).size,
      version: 0,
      uses: 0,
      followers: new Set(),
    };
  }

  /** A file has got other bytes: its open handles have them too, from now on. */
  replaced(ino: number): void {
    const known = this.#shared.get(ino);
    if (known === undefined) return;
    const { spans, size } = this.#share(ino);
    known.spans = spans;
    known.size = size;
    known.version++;
  }

  /** From now on all open handles of a file follow what becomes of it in the making. */
  follow(ino: number, made: NewFile, maker: FileMaker): void {
    for (const file of this.#shared.get(ino)?.followers ?? []) file.follow(made, maker);
  }

  closed(ino: number, file: LoggedFile): void {
    const known = this.#shared.get(ino);
    if (known === undefined) return;
    known.followers.delete(file);
    if (--known.uses === 0) this.#shared.delete(ino);
  }
}

/** An open file that the volume has. Reads are answered with addresses of the memory itself. */
class LoggedFile implements OpenFile {
  readonly ino: number;
  readonly #files: LoggedFiles;
  readonly #volume: Volume;
  readonly #shared: Shared;
  readonly #writable: boolean;
  /** Present when the file was opened for writing, or when it has no spans and reads must copy. */
  #file: VolumeFile | null = null;
  #version = -1;
  /** Set once the file has changed its size. */
  #followed: GrowingHandle | null = null;

  /** LoggedFiles.open() makes it. */
  constructor(files: LoggedFiles, ino: number, shared: Shared, writable: boolean) {
    this.ino = ino;
    this.#files = files;
    this.#volume = files.volume;
    this.#shared = shared;
    this.#writable = writable;
    if (writable || shared.spans === null) this.#open();
  }

  /** Its bytes, for writing or copying: those that the file has now. */
  #open(): VolumeFile {
    if (this.#file !== null && this.#version === this.#shared.version) return this.#file;
    this.#file?.close();
    this.#file = this.#volume.inodes.open(this.ino, { writable: this.#writable });
    this.#version = this.#shared.version;
    return this.#file;
  }

  follow(made: NewFile, maker: FileMaker): void {
    this.#followed ??= maker.open(made, this.#writable);
  }

  read(offset: number, length: number, answer: FuseReadAnswer): void {
    if (this.#followed !== null) {
      this.#followed.read(offset, length, answer);
      return;
    }
    const { size, spans } = this.#shared;
    const bytes = Math.min(length, size - offset);
    if (bytes <= 0) return;
    if (spans === null) {
      const copy = new Uint8Array(bytes);
      answer.addBytes(copy.subarray(0, this.#open().read(copy, offset)));
      return;
    }
    spans.visit(offset, bytes, answer);
  }

  write(bytes: Uint8Array, offset: number, unique: number): number {
    if (!this.#writable) return fail('EBADF', 'this file was opened for reading');
    if (this.#followed === null && offset + bytes.length > this.#shared.size && bytes.length > 0)
      this.#files.grow(this.ino);
    if (this.#followed !== null) return this.#followed.write(bytes, offset, unique);
    return this.#open().write(bytes, offset);
  }

  /** Closing a file that keeps its size has no effect. */
  flush(pid: number): void {
    this.#followed?.flush(pid);
  }

  release(): void {
    try {
      this.#followed?.release();
    } finally {
      this.#followed = null;
      this.close();
    }
  }

  close(): void {
    this.#followed?.close();
    this.#file?.close();
    this.#files.closed(this.ino, this);
  }
}

/** Fails with EFBIG: of the errors that programs explain to users, it fits a file that may not become larger best. */
export function failToGrow(path: string, what: string): never {
  return fail(
    'EFBIG',
    `${path} keeps its size: nothing can be ${what} behind its end (in this mount a published file keeps the size it has)`,
    { path },
  );
}

/** Decides what happens to files in the making. */
export interface FileMaker {
  open(file: NewFile, writable: boolean): GrowingHandle;
  /** A descriptor that was opened for writing is being closed. @throws DaxError why the file cannot be published, at the last close */
  closing(file: NewFile, pid: number): void;
  /** A handle is about to end: publishes the file, keeps it, or gives it up. */
  releasing(file: NewFile, writable: boolean): void;
  /** A handle has ended. */
  released(file: NewFile): void;
  /** Opens a file that was published meanwhile. */
  openLogged(ino: number, writable: boolean): OpenFile;
  /** A published file is written up to `end`: when that is past its size, it is in the making again. */
  reaching(file: NewFile, end: number): void;
}

/** An open file that was made or changed through this mount. While nothing of it is pending, the handle uses the published file. */
export class GrowingHandle implements OpenFile {
  readonly #file: NewFile;
  readonly #writable: boolean;
  readonly #maker: FileMaker;
  #logged: OpenFile | null = null;
  #version = -1;

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
    if (!this.#file.isPending && bytes.length > 0) this.#maker.reaching(this.#file, offset + bytes.length);
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
    const { ino, isPending, version } = this.#file;
    if (isPending) return null;
    if (this.#version !== version) {
      this.#logged?.close();
      this.#logged = this.#maker.openLogged(ino!, this.#writable);
      this.#version = version;
    }
    return this.#logged;
  }
}
