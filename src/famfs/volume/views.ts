/** Views of a file's memory: their types, the check of view constructors, and the pin that keeps a view mapped. */
import { type Wanted, whenClosed, whenCollected } from '../../libc/index.js';

/**
 * The type of a view that is only read: a typed array, DataView or Buffer whose storing methods cannot be called. It can be passed
 * wherever its array is expected (`tableFromIPC(view)`). The memory itself keeps stray stores out (decision 14); this type
 * catches them at compile time.
 */
export type ReadonlyView<T> = {
  readonly [K in keyof T]: K extends
    | 'copyWithin'
    | 'fill'
    | 'reverse'
    | 'sort'
    | 'set'
    | `set${string}`
    | `write${string}`
    | `swap${string}`
    ? never
    : K extends 'subarray'
      ? (begin?: number, end?: number) => ReadonlyView<T>
      : T[K];
};

/** Bytes that are only read. map() returns them by default. */
export interface ReadonlyUint8Array extends ReadonlyView<Uint8Array<ArrayBuffer>> {
  subarray(begin?: number, end?: number): ReadonlyUint8Array;
}

/** Accepts a constructor of views (Float32Array, DataView, Buffer) of any realm. It is recognized by its prototype. */
export const viewConstructor: Wanted = (value) =>
  typeof value === 'function' && isViewPrototype(value.prototype)
    ? undefined
    : 'a typed array, DataView or Buffer';

function isViewPrototype(prototype: unknown): boolean {
  for (let at = prototype; at !== null && at !== undefined; at = Object.getPrototypeOf(at)) {
    const tag = Object.getOwnPropertyDescriptor(at, Symbol.toStringTag);
    // %TypedArray%.prototype has a getter for toStringTag; DataView.prototype has a string.
    if (tag?.value === 'DataView' || (tag?.get !== undefined && 'BYTES_PER_ELEMENT' in (prototype as object)))
      return true;
  }
  return false;
}

/** Accepts any view on an ArrayBuffer. */
export const arrayView: Wanted = (value) =>
  ArrayBuffer.isView(value) ? undefined : 'a typed array, DataView or Buffer';

/** Keeps a view mapped after close() of its file and volume. VolumeFile.pin() makes it; `using` releases it. */
export class ViewPin {
  #release: (() => void) | undefined;

  /** @param release must not hold a reference to the pin, so that a dropped pin is collected and then released */
  constructor(what: string, release: () => void) {
    this.#release = release;
    whenCollected(this, what, release);
  }

  /** False once the pin was released. */
  get held(): boolean {
    return this.#release !== undefined;
  }

  /** Releases the pin: the view may end from now on. Idempotent. */
  release(): void {
    const release = this.#release;
    if (release === undefined) return;
    this.#release = undefined;
    whenClosed(this);
    release();
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
