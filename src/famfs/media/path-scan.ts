/**
 * One pass over the path bytes of a log entry. It checks every rule for logged paths, and records the path's
 * components (start, end, hash) for the lookup. One scan is reused for all entries; it allocates nothing.
 */
import { HASH_PRIME, HASH_START } from './inode-table.js';
import { FAMFS_PATH_FIELD } from './layout.js';

/** What is wrong with a logged path. */
export type PathFault =
  | 'path-empty'
  | 'path-absolute'
  | 'path-component'
  | 'path-dot'
  | 'path-unterminated'
  | 'path-junk';

export const pathFaultText: Record<PathFault, string> = {
  'path-empty': 'the path is empty',
  'path-absolute': 'the path is absolute, it must be relative to the root',
  'path-component': 'the path has an empty component',
  'path-dot': "the path has a '.' or '..' component",
  'path-unterminated': `the path has no NUL within its ${FAMFS_PATH_FIELD} bytes`,
  'path-junk': 'the path field holds bytes behind its NUL',
};

const SLASH = 0x2f;
const DOT = 0x2e;

export class PathScan {
  count = 0;
  readonly starts = new Uint32Array(FAMFS_PATH_FIELD);
  readonly ends = new Uint32Array(FAMFS_PATH_FIELD);
  readonly hashes = new Int32Array(FAMFS_PATH_FIELD);

  /**
   * Scans the path field at byte `at`, a multiple of 4. `words` is the same memory as 4-byte words.
   * @returns the first broken rule, or null
   */
  scan(bytes: Uint8Array, words: Uint32Array, at: number): PathFault | null {
    this.count = 0;
    const fieldEnd = at + FAMFS_PATH_FIELD;
    if (bytes[at] === 0) return 'path-empty';
    if (bytes[at] === SLASH) return 'path-absolute';
    let start = at;
    let hash = HASH_START;
    for (let i = at; i < fieldEnd; i++) {
      const byte = bytes[i]!;
      if (byte !== SLASH && byte !== 0) {
        hash = Math.imul(hash ^ byte, HASH_PRIME);
        continue;
      }
      if (i === start) return 'path-component';
      if (bytes[start] === DOT && isDots(bytes, start, i)) return 'path-dot';
      this.starts[this.count] = start;
      this.ends[this.count] = i;
      this.hashes[this.count] = hash;
      this.count++;
      if (byte === 0) return isZero(bytes, words, i, fieldEnd) ? null : 'path-junk';
      start = i + 1;
      hash = HASH_START;
    }
    return 'path-unterminated';
  }
}

/** Tells whether a component that starts with a dot is '.' or '..'. */
function isDots(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start === 1 || (end - start === 2 && bytes[start + 1] === DOT);
}

/** Whether bytes are zero. It goes four words at a time, because it runs over most of the path field for every entry of a mount. */
export function isZero(bytes: Uint8Array, words: Uint32Array, start: number, end: number): boolean {
  let i = start;
  for (; i % 4 !== 0; i++) if (bytes[i] !== 0) return false;
  let word = i / 4;
  const last = end / 4;
  for (; word + 4 <= last; word += 4) {
    if ((words[word]! | words[word + 1]! | words[word + 2]! | words[word + 3]!) !== 0) return false;
  }
  for (; word < last; word++) if (words[word] !== 0) return false;
  return true;
}
