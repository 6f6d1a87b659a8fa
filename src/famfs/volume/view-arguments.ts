import type { Wanted } from '../../libc/index.js';

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
