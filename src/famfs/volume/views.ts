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
