import fs from 'node:fs';
import {
  fail,
  MAP_SHARED,
  mmap,
  munmap,
  PROT_READ,
  PROT_WRITE,
  viewMemory,
  whenClosed,
  whenCollected,
} from '../libc/index.js';

const MAPPED_BYTES = 4096;
const WORD_BYTES = 8;

/**
 * The generation word of a state directory: 8 bytes of a file that every live process maps.
 * `value` is one load, so that a call can ask "did anybody change the machine?" for free.
 * Written only under the machine's exclusive lock, except that anybody under a lock may repair it to
 * what machine.json says (a process was killed between its write and its bump).
 */
export class GenerationWord {
  private words: Uint32Array | undefined;
  private readonly address: number;

  private constructor(
    readonly path: string,
    readonly writable: boolean,
    fd: number,
  ) {
    this.address = mmap(0, MAPPED_BYTES, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
    this.words = new Uint32Array(viewMemory(this.address, WORD_BYTES));
    whenCollected(this, path, unmapping(this.address));
  }

  /** @throws ENOENT no such file, EIO shorter than 8 bytes */
  static open(path: string, { writable }: { writable: boolean }): GenerationWord {
    const fd = fs.openSync(path, writable ? 'r+' : 'r');
    try {
      const bytes = fs.fstatSync(fd).size;
      if (bytes < WORD_BYTES) {
        fail('EIO', `${path} has ${bytes} bytes instead of ${WORD_BYTES}: remove it, udax makes it again`, {
          path,
        });
      }
      return new GenerationWord(path, writable, fd);
    } finally {
      fs.closeSync(fd);
    }
  }

  /** Makes the file, or makes it whole again. The caller holds the exclusive lock. */
  static ensure(path: string, mode: number): void {
    const fd = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT, mode);
    try {
      if (fs.fstatSync(fd).size < WORD_BYTES) fs.ftruncateSync(fd, WORD_BYTES);
    } finally {
      fs.closeSync(fd);
    }
  }

  /** Low half of the number: what a lock-free "is it still the one I know?" compares. One load. */
  get low(): number {
    return this.words![0]!;
  }

  /** The whole number (u64, little endian). Exact only under the machine's lock. */
  get value(): number {
    return this.words![1]! * 2 ** 32 + this.words![0]!;
  }

  set value(generation: number) {
    this.words![1] = Math.floor(generation / 2 ** 32);
    this.words![0] = generation >>> 0;
  }

  close(): void {
    if (!this.words) return;
    // Nobody else ever saw this view, so dropping it is as good as detaching it.
    this.words = undefined;
    whenClosed(this);
    munmap(this.address, MAPPED_BYTES);
  }
}

function unmapping(address: number): () => void {
  return () => munmap(address, MAPPED_BYTES);
}
