import { fail } from '../libc/index.js';

/** The bytes of an archive. */
export interface ArchiveSource {
  /** For errors. */
  readonly name: string;
  /** The path of the file on its volume, if it is one. */
  readonly path?: string;
  readonly size: number;
  /** The bytes of [offset, offset + length), which lies within the size. */
  view(offset: number, length: number): Uint8Array;
}

type Named = Pick<ArchiveSource, 'name' | 'path'>;

/** @throws DaxError EBADMSG the bytes contradict themselves or their format */
export function damaged(source: Named, at: number, reason: string): never {
  return fail(
    'EBADMSG',
    `${source.name}, byte ${at}: ${reason}: the file is damaged or not whole, make it again`,
    pathOf(source),
  );
}

/** @throws DaxError EOPNOTSUPP right perhaps, but not read here; `next` says what to do */
export function unsupported(source: Named, what: string, next: string): never {
  return fail('EOPNOTSUPP', `${source.name}: ${what}: ${next}`, pathOf(source));
}

/** @throws DaxError EINVAL the bytes are of another format */
export function otherFormat(source: Named, format: string, found: string): never {
  return fail('EINVAL', `${source.name} is no ${format} file: ${found}`, pathOf(source));
}

export function pathOf({ path }: Named): { path?: string } {
  return path === undefined ? {} : { path };
}

/** A name from a file, as messages show it. */
export function shownName(name: string): string {
  return JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}...` : name);
}

export function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer as ArrayBuffer, byteOffset, byteLength);
}
