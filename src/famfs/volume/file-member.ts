import { crc32 } from 'node:zlib';
import { type ArchiveMember, type ArchiveSource, readMembers, shownName } from '../../archives/index.js';
import { bytes, checkMethods, fail, number, optional, options } from '../../libc/index.js';
import type { ViewConstructor } from './types.js';
import { type ReadonlyUint8Array, type ReadonlyView, viewConstructor } from './views.js';

const PIECE_BYTES = 2 ** 20;

/** What a member needs of the open file that is its archive. */
interface ArchiveFile {
  readonly path: string;
  readonly size: number;
  map(range: { offset: number; length: number }): ReadonlyUint8Array;
  mapAs<T>(type: ViewConstructor<T>, range: { offset: number; length: number }): ReadonlyView<T>;
  read(into: Uint8Array, position: number): number;
}

/** What part of a member to see, bytes from its start. Default: all of it. */
export interface MemberRange {
  offset?: number;
  length?: number;
}

/** A member of a zip or tar archive that is a file of a volume. Its bytes are seen where they are: nothing is unpacked or copied. */
export class FileMember {
  readonly name: string;
  /** other: a device, a pipe, or what is not known here. */
  readonly type: 'file' | 'directory' | 'symlink' | 'other';
  /** Bytes. */
  readonly size: number;
  /** Where its bytes begin in the archive. */
  readonly byteOffset: number;
  /** Permission bits; null when the archive says none. */
  readonly mode: number | null;
  /** Null when the archive says none. */
  readonly modified: Date | null;
  /** False when it is compressed or sparse: then there are no bytes to see. */
  readonly isStored: boolean;
  /** CRC-32 of its bytes as the archive says it; null for tar, which says none. */
  readonly crc32: number | null;
  readonly #file: ArchiveFile;
  readonly #target: string | undefined;

  /** @internal VolumeFile.members() makes them. */
  static of(file: ArchiveFile, member: ArchiveMember): FileMember {
    return new FileMember(file, member);
  }

  private constructor(file: ArchiveFile, member: ArchiveMember) {
    this.name = member.name;
    this.type = member.type;
    this.size = member.size;
    this.byteOffset = member.byteOffset;
    this.mode = member.mode;
    this.modified = member.modifiedMs === null ? null : new Date(member.modifiedMs);
    this.isStored = member.isStored;
    this.crc32 = member.crc32;
    this.#file = file;
    this.#target = member.target;
  }

  /** Where a symbolic link leads; undefined for anything else. */
  get target(): string | undefined {
    if (this.type !== 'symlink') return undefined;
    if (this.#target !== undefined) return this.#target;
    const bytes = new Uint8Array(this.#stored().size);
    this.#file.read(bytes, this.byteOffset);
    return Buffer.from(bytes).toString();
  }

  /**
   * A view of its bytes, read-only, as VolumeFile.map() gives it: it lives until the file is closed.
   * @throws DaxError EINVAL outside the member; EISDIR; EOPNOTSUPP it is compressed; as VolumeFile.map()
   */
  map(range: MemberRange = {}): ReadonlyUint8Array {
    return this.#file.map(this.#placed(range));
  }

  /** map() as a typed array or DataView. @throws DaxError EINVAL no multiple of the element size; as map() */
  mapAs<T>(type: ViewConstructor<T>, range: MemberRange = {}): ReadonlyView<T> {
    return this.#file.mapAs(type, this.#placed(range));
  }

  /** Copies bytes out. @returns how many, 0 at or past the end @throws DaxError as map(), EIO */
  read(into: Uint8Array, position: number): number {
    const length = Math.min(into.length, Math.max(0, this.#stored().size - position));
    if (length === 0) return 0;
    const { offset } = this.#placed({ offset: position, length });
    return this.#file.read(into.subarray(0, length), offset);
  }

  /**
   * Compares its bytes with the crc of the archive.
   * @returns false when the archive has none (tar) @throws DaxError EBADMSG they differ; as read()
   */
  verify(): boolean {
    if (this.crc32 === null) return false;
    const piece = new Uint8Array(Math.min(PIECE_BYTES, this.size));
    let found = 0;
    for (let at = 0; at < this.size; ) {
      const bytes = this.read(piece, at);
      found = crc32(piece.subarray(0, bytes), found);
      at += bytes;
    }
    if (found === this.crc32) return true;
    const { path } = this.#file;
    return fail(
      'EBADMSG',
      `${path}: the bytes of ${shownName(this.name)} have crc ${found.toString(16)}, the archive says ${this.crc32.toString(16)}: ` +
        'make the archive again',
      { path },
    );
  }

  #placed({ offset = 0, length = this.size - offset }: MemberRange): { offset: number; length: number } {
    const { size, byteOffset } = this.#stored();
    if (!(offset >= 0 && length >= 0 && offset + length <= size)) {
      fail(
        'EINVAL',
        `${length} bytes at ${offset} are not within the ${size} bytes of ${shownName(this.name)}`,
        { path: this.#file.path },
      );
    }
    return { offset: byteOffset + offset, length };
  }

  #stored(): this {
    const { path } = this.#file;
    const shown = `${path}: ${shownName(this.name)}`;
    if (this.type === 'directory') fail('EISDIR', `${shown} is a directory, it has no bytes`, { path });
    if (!this.isStored)
      fail('EOPNOTSUPP', `${shown} is compressed there: make the archive without compression`, { path });
    return this;
  }
}

/** The members of an archive that is a file of a volume. Headers are copied before they are checked. @throws DaxError as readMembers() */
export function membersOf(file: ArchiveFile): ReadonlyMap<string, FileMember> {
  const { path, size } = file;
  const source: ArchiveSource = {
    name: path,
    path,
    size,
    view(offset, length) {
      const bytes = new Uint8Array(length);
      file.read(bytes, offset);
      return bytes;
    },
  };
  const members = new Map<string, FileMember>();
  for (const [name, member] of readMembers(source)) members.set(name, FileMember.of(file, member));
  return members;
}

const range = optional(options({ offset: optional(number), length: optional(number) }));

checkMethods(FileMember, {
  read: { into: bytes, position: number },
  map: { range },
  mapAs: { type: viewConstructor, range },
});
