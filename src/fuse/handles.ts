import { fail } from '../libc/index.js';
import type { FileHandle } from './types.js';

/** Open files of a file system by the number the kernel knows them by. Numbers are not used twice. */
export class HandleTable<T> {
  readonly #byHandle = new Map<number, T>();
  #next = 1;
  /** The one asked for last, since who reads goes on reading. */
  #last = -1;
  #lastValue: T | undefined;

  get size(): number {
    return this.#byHandle.size;
  }

  open(value: T): FileHandle {
    const handle = this.#next++;
    this.#byHandle.set(handle, value);
    return handle as FileHandle;
  }

  /** @throws DaxError EBADF for a handle that is not open */
  get(handle: FileHandle): T {
    if (handle === this.#last) return this.#lastValue as T;
    const value = this.#byHandle.get(handle);
    if (value === undefined) fail('EBADF', `handle ${handle} is not open here`);
    this.#last = handle;
    this.#lastValue = value;
    return value;
  }

  /** @returns what was open, or undefined when nothing was */
  close(handle: FileHandle): T | undefined {
    if (handle === this.#last) this.#forgetLast();
    const value = this.#byHandle.get(handle);
    this.#byHandle.delete(handle);
    return value;
  }

  #forgetLast(): void {
    this.#last = -1;
    this.#lastValue = undefined;
  }

  values(): IterableIterator<T> {
    return this.#byHandle.values();
  }
}
