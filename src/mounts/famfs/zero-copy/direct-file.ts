import fs from 'node:fs';
import type { PlacedPiece, Volume, VolumeFile } from '../../../famfs/index.js';
import { ANSWERED_LATER, type FuseHost, type FuseReadAnswer } from '../../../fuse/index.js';
import { asDaxError, fail } from '../../../libc/index.js';
import { failToGrow, type OpenFile } from '../open-file.js';
import { piecesOf } from './sharing.js';

/**
 * An open file of a zero-copy mount that the kernel has no map of. It is read and written with read(2) and write(2) on the hidden file
 * that shows the whole device: that is harmless even where another inode maps the same pages; a mapping here would not be.
 */
export class DirectFile implements OpenFile {
  readonly #fd: number;
  readonly #ino: number;
  readonly #volume: Volume;
  readonly #host: FuseHost;
  readonly #pieces: readonly PlacedPiece[];
  readonly #size: number;
  /** Present when the file was opened for writing: it checks that stores are accepted, and nothing else. */
  readonly #file: VolumeFile | null;

  constructor(volume: Volume, host: FuseHost, fd: number, ino: number, writable: boolean) {
    this.#fd = fd;
    this.#ino = ino;
    this.#volume = volume;
    this.#host = host;
    const away = volume.inodes.fmap(ino).extents.find(({ devindex }) => devindex !== 0);
    if (away) {
      const path = volume.inodes.pathOf(ino);
      fail('ENODEV', `${path} lies on device ${away.devindex}, which is not here`, { path });
    }
    this.#file = writable ? volume.inodes.open(ino, { writable }) : null;
    this.#pieces = piecesOf(volume, ino);
    this.#size = volume.inodes.stat(ino).size;
  }

  read(offset: number, length: number, answer: FuseReadAnswer): void {
    this.#volume.inodes.check();
    const bytes = Math.min(length, this.#size - offset);
    if (bytes <= 0) return;
    const copy = new Uint8Array(bytes);
    let done = 0;
    for (const piece of this.#within(offset, bytes)) {
      const read = this.#read(copy, done, piece);
      done += read;
      if (read < piece.length) break;
    }
    if (done === 0) this.#failPast(offset);
    answer.addBytes(copy.subarray(0, done));
  }

  #read(copy: Uint8Array, at: number, piece: { offset: number; length: number }): number {
    try {
      return fs.readSync(this.#fd, copy, at, piece.length, piece.offset);
    } catch (error) {
      const path = this.#volume.inodes.pathOf(this.#ino);
      throw asDaxError(error, `reading ${path} from the device`, path);
    }
  }

  write(bytes: Uint8Array, offset: number, unique: number): number {
    if (offset + bytes.length > this.#size && bytes.length > 0)
      failToGrow(this.#volume.inodes.pathOf(this.#ino), 'written');
    if (this.#file === null) return fail('EBADF', 'this file was opened for reading');
    if (bytes.length === 0) return 0;
    this.#volume.inodes.check();
    const pieces = [...this.#within(offset, bytes.length)];
    if (pieces.reduce((sum, piece) => sum + piece.length, 0) < bytes.length) this.#failPast(offset);
    this.#host.writeLater({ unique, fd: this.#fd, bytes: new Uint8Array(bytes), pieces });
    return ANSWERED_LATER;
  }

  flush(): void {}

  release(): void {
    this.close();
  }

  close(): void {
    this.#file?.close();
  }

  /** The parts of the device behind bytes of the file. */
  *#within(offset: number, length: number): Generator<{ offset: number; length: number }> {
    const end = offset + length;
    for (const piece of this.#pieces) {
      const from = Math.max(offset, piece.offset);
      const to = Math.min(end, piece.offset + piece.length);
      if (from < to) yield { offset: piece.address + from - piece.offset, length: to - from };
    }
  }

  #failPast(offset: number): never {
    const path = this.#volume.inodes.pathOf(this.#ino);
    fail('EIO', `the extents of ${path} end before byte ${offset}, or past the device: fsck() tells more`, {
      path,
      hint: 'fsck',
    });
  }
}
