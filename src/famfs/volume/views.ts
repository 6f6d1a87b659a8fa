/** Views of a file's memory: their types, what may be asked for, and the pin that keeps one mapped. */
import { type Wanted, whenClosed, whenCollected } from '../../libc/index.js';

/**
 * A view that is only read: a typed array, DataView or Buffer through which no store compiles (the methods that store cannot be called). It fits wherever its array
 * is asked for (`tableFromIPC(view)`). The memory itself keeps strays out (decision 14); the type says so before anything runs.
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

/** Bytes that are only read: what map() gives by default. */
export interface ReadonlyUint8Array extends ReadonlyView<Uint8Array<ArrayBuffer>> {
  subarray(begin?: number, end?: number): ReadonlyUint8Array;
}

/** Float32Array, DataView, Buffer: of any realm, told by what its prototype is. */
export const viewConstructor: Wanted = (value) =>
  typeof value === 'function' && isViewPrototype(value.prototype)
    ? undefined
    : 'a typed array, DataView or Buffer';

function isViewPrototype(prototype: unknown): boolean {
  for (let at = prototype; at !== null && at !== undefined; at = Object.getPrototypeOf(at)) {
    const tag = Object.getOwnPropertyDescriptor(at, Symbol.toStringTag);
    // %TypedArray%.prototype has a getter there, DataView.prototype its name.
    if (tag?.value === 'DataView' || (tag?.get !== undefined && 'BYTES_PER_ELEMENT' in (prototype as object)))
      return true;
  }
  return false;
}

/** Any view on an ArrayBuffer. */
export const arrayView: Wanted = (value) =>
  ArrayBuffer.isView(value) ? undefined : 'a typed array, DataView or Buffer';

/** Keeps a view mapped over close() of its file and volume. Made by VolumeFile.pin(); `using` releases it. */
export class ViewPin {
  #release: (() => void) | undefined;

  /** @param release must not reach the pin: one that is dropped is released by the collector */
  constructor(what: string, release: () => void) {
    this.#release = release;
    whenCollected(this, what, release);
  }

  /** False once it was released. */
  get held(): boolean {
    return this.#release !== undefined;
  }

  /** The view may end from now on. Idempotent. */
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
