import { fail } from '../libc/index.js';
import type { FileHandle } from './types.js';

/** Open files of a file system by the number the kernel knows them by. Numbers are not used twice. */
export class HandleTable<T> {
  private readonly byHandle = new Map<number, T>();
  private next = 1;

  get size(): number {
    return this.byHandle.size;
  }

  open(value: T): FileHandle {
    const handle = this.next++;
    this.byHandle.set(handle, value);
    return handle as FileHandle;
  }

  /** @throws DaxError EBADF for a handle that is not open */
  get(handle: FileHandle): T {
    const value = this.byHandle.get(handle);
    if (value === undefined) fail('EBADF', `handle ${handle} is not open here`);
    return value;
  }

  /** @returns what was open, or undefined when nothing was */
  close(handle: FileHandle): T | undefined {
    const value = this.byHandle.get(handle);
    this.byHandle.delete(handle);
    return value;
  }

  values(): IterableIterator<T> {
    return this.byHandle.values();
  }
}
