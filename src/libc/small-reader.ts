import { codeOf, DaxError, fail } from './errors.js';
import { bindCall, lastErrno, type NativeFunction } from './load.js';
import { addressOf } from './memory.js';

const AT_EMPTY_PATH = 0x1000;
const STATX_TYPE_MODE_SIZE = 0x203;
/** Offsets in struct statx, the same on every architecture. */
const STX_MODE = 28;
const STX_SIZE = 40;
const STATX_BYTES = 256;

/** What a descriptor leads to: the bits of st_mode, and the size in bytes. */
export interface DescriptorStat {
  mode: number;
  size: number;
}

/**
 * Reads many small files into one buffer: its calls cost half of node:fs', which makes dates and checks that nobody asked for. The
 * buffer starts with the result of stat().
 */
export class SmallReader {
  /** What read() fills. */
  readonly bytes: Uint8Array;
  readonly #address: number;
  readonly #stat: DataView;
  readonly #statx: NativeFunction;
  readonly #pread: NativeFunction;

  constructor(capacity: number) {
    // An ArrayBuffer of its own: the garbage collector may move small typed arrays.
    const memory = new ArrayBuffer(STATX_BYTES + capacity);
    this.#address = addressOf(memory);
    this.#stat = new DataView(memory, 0, STATX_BYTES);
    this.bytes = new Uint8Array(memory, STATX_BYTES);
    this.#statx = bindCall(
      'int statx(int directory, const char *path, int flags, unsigned int mask, intptr_t buffer)',
    );
    this.#pread = bindCall('intptr_t pread(int fd, intptr_t buffer, size_t count, int64_t offset)');
  }

  /** @param path for errors. @throws DaxError the error of statx(2) */
  stat(fd: number, path: string): DescriptorStat {
    if (this.#statx(fd, '', AT_EMPTY_PATH, STATX_TYPE_MODE_SIZE, this.#address) !== 0) fails('statx', path);
    const low = this.#stat.getUint32(STX_SIZE, true);
    return {
      mode: this.#stat.getUint16(STX_MODE, true),
      size: this.#stat.getUint32(STX_SIZE + 4, true) * 2 ** 32 + low,
    };
  }

  /**
   * Reads from a file's start into `bytes` from `at` on.
   * @throws DaxError EIO the file ends before; the error of pread(2)
   */
  read(fd: number, path: string, { at, length }: { at: number; length: number }): void {
    for (let done = 0; done < length; ) {
      const bytes = this.#pread(fd, this.#address + STATX_BYTES + at + done, length - done, done);
      if (bytes > 0) done += bytes;
      else if (bytes === 0) failCut(path, done, length);
      else if (codeOf(lastErrno()) !== 'EINTR') fails('pread', path);
    }
  }
}

/** @throws DaxError EIO always: a file that is copied is shorter than it was */
export function failCut(path: string, end: number, size: number): never {
  fail('EIO', `${path} ended at ${end} of its ${size} bytes: it was cut while being copied`, { path });
}

function fails(syscall: string, path: string): never {
  throw new DaxError(codeOf(lastErrno()), `reading ${path}: ${syscall} failed`, { syscall, path });
}
