import { fail } from '../libc/index.js';
import type { FileHandle } from './types.js';

/** The open files of a file system, by the handle that the kernel knows. A handle is never used twice. */
export class HandleTable<T> {
  readonly #byHandle = new Map<number, T>();
  #next = 1;
  /** The handle that was used last, cached: a reader mostly uses the same handle again. */
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

  /** The value of an open handle. @throws DaxError EBADF the handle is not open */
  get(handle: FileHandle): T {
    if (handle === this.#last) return this.#lastValue as T;
    const value = this.#byHandle.get(handle);
    if (value === undefined) fail('EBADF', `handle ${handle} is not open here`);
    this.#last = handle;
    this.#lastValue = value;
    return value;
  }

  /** Closes a handle. @returns its value, or undefined when it was not open */
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
