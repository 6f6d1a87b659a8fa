import type { FileSpans, Volume, VolumeFile } from '../../famfs/index.js';
import type { FuseReadAnswer } from '../../fuse/index.js';
import { fail } from '../../libc/index.js';
import type { NewFile } from './new-files.js';

/** What a handle of the kernel stands for. */
export interface OpenFile {
  read(offset: number, length: number, answer: FuseReadAnswer): void;
  /** @throws DaxError EBADF opened for reading; ENOSPC past the end */
  write(bytes: Uint8Array, offset: number): number;
  close(): void;
}

/** An open file that the log names. Reads are answered with addresses of the memory itself. */
export class LoggedFile implements OpenFile {
  readonly ino: number;
  readonly #volume: Volume;
  readonly size: number;
  readonly #spans: FileSpans | null;
  /** There when it was opened for writing, or when reads have to go the careful way. */
  readonly #file: VolumeFile | null;

  constructor(volume: Volume, ino: number, spans: FileSpans | null, writable: boolean) {
    this.ino = ino;
    this.#volume = volume;
    this.size = volume.inodes.stat(ino).size;
    this.#spans = spans;
    this.#file = writable || spans === null ? volume.inodes.open(ino, { writable }) : null;
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
    if (this.#file === null) return fail('EBADF', 'this file was opened for reading');
    return this.#file.write(bytes, offset);
  }

  close(): void {
    this.#file?.close();
  }
}

/** An open file in the making, and what becomes of the handle when somebody publishes it. */
export class GrowingHandle implements OpenFile {
  readonly newFile: NewFile;
  readonly writable: boolean;
  readonly #openLogged: (ino: number, writable: boolean) => LoggedFile;
  readonly #closed: (ino: number) => void;
  #logged: LoggedFile | null = null;

  /** @param closed told when what `openLogged` gave is closed again */
  constructor(
    newFile: NewFile,
    writable: boolean,
    openLogged: (ino: number, writable: boolean) => LoggedFile,
    closed: (ino: number) => void,
  ) {
    this.newFile = newFile;
    this.writable = writable;
    this.#openLogged = openLogged;
    this.#closed = closed;
    newFile.opens++;
  }

  read(offset: number, length: number, answer: FuseReadAnswer): void {
    const logged = this.#whenLogged();
    if (logged) logged.read(offset, length, answer);
    else this.newFile.growing.drain(offset, length, (bytes) => answer.addBytes(bytes));
  }

  write(bytes: Uint8Array, offset: number): number {
    if (!this.writable) fail('EBADF', 'this file was opened for reading');
    const logged = this.#whenLogged();
    return logged ? logged.write(bytes, offset) : this.newFile.growing.write(bytes, offset);
  }

  close(): void {
    this.newFile.opens--;
    if (this.#logged === null) return;
    this.#logged.close();
    this.#closed(this.#logged.ino);
  }

  #whenLogged(): LoggedFile | null {
    const { ino } = this.newFile;
    if (ino !== null) this.#logged ??= this.#openLogged(ino, this.writable);
    return this.#logged;
  }
}
