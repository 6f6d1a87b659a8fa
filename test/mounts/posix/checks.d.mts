import type fs from 'node:fs';

/** A behaviour told in node:fs; `at` is an empty directory of its own. Throws an AssertionError where it does not hold. */
export interface Check {
  readonly name: string;
  /** Files that have to be there before: name and latin1 text. */
  readonly files?: Readonly<Record<string, string>>;
  check(face: typeof fs, at: string): void;
}

/** Holds on the library's volume.fs, on the mount and on tmpfs. */
export const reading: readonly Check[];
/** Holds on the mount and on tmpfs. */
export const alike: readonly Check[];
/** Changes of names, sizes and attributes: on the mount and on tmpfs. */
export const changes: readonly Check[];
/** The same, where a mount is not as tmpfs. */
export const mountChanges: readonly Check[];
/** Famfs' own rules, on a plain mount. */
export const famfsOnly: readonly Check[];
/** What a client and a read-only mount answer: EROFS. */
export const clientOnly: readonly Check[];
