/** What both formats say of a member. */
export interface ArchiveMember {
  /** Without a slash at the end. */
  readonly name: string;
  /** other: a device, a pipe, or what this software does not know. */
  readonly type: 'file' | 'directory' | 'symlink' | 'other';
  /** Bytes of the member itself, unpacked. */
  readonly size: number;
  /** Where its bytes are in the archive. */
  readonly byteOffset: number;
  /** False when they are compressed, encrypted or sparse there. */
  readonly isStored: boolean;
  /** Permission bits; null when the archive says none. */
  readonly mode: number | null;
  /** Milliseconds since 1970; null when the archive says none. */
  readonly modifiedMs: number | null;
  /** Of a symbolic link, where the header has it. */
  readonly target?: string;
  /** Of the bytes; null when the format has none. */
  readonly crc32: number | null;
}

/** A member to be written. */
export interface NewMember {
  readonly name: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink';
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Nanoseconds since 1970. */
  readonly modifiedNs: bigint;
  /** Of links. */
  readonly target?: string;
  readonly crc32: number;
}

/** Makes the bytes of an archive around the data of its members. */
export interface ArchiveWriter {
  /** Whether a header has the crc of the data behind it. */
  readonly needsCrc: boolean;
  /** Whether a second name of a file can be said. */
  readonly hasHardLinks: boolean;
  /** What comes before the data of a member that begins at byte `at` of the archive. The data begins at a whole page. */
  begin(member: NewMember, at: number): Uint8Array;
  /** What comes behind the data of a member. */
  after(size: number): Uint8Array;
  /** The end of the archive, which begins at byte `at`. */
  finish(at: number): Uint8Array;
}

/** Data of members begins at multiples of this. */
export const MEMBER_ALIGN = 4096;
