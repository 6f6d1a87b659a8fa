/** What stat() and listings say of inodes. */
import { ANNEX_INO_START } from './annex-layout.js';
import type { AnnexNames, InodeTimes, NamedInode } from './annex-names.js';
import { encodeName } from './path.js';

export interface InodeStat {
  ino: number;
  type: 'file' | 'directory' | 'symlink';
  /** Bytes; 0 for directories. Of a symbolic link, the length of its target. */
  size: number;
  /** Permission bits. */
  mode: number;
  uid: number;
  gid: number;
  /** How many names it has; 1 for directories. 0: it was removed. */
  nlink: number;
  /** Times that the annex knows; null when it knows none. */
  times: InodeTimes | null;
}

/** A name in a directory. */
export interface DirectoryItem extends Omit<NamedInode, 'name'> {
  readonly name: string;
}

const LINK_MODE = 0o777;

/** stat() in a volume that has an annex. */
export function statWithAnnex(names: AnnexNames, ino: number): InodeStat {
  const { base } = names;
  const set = names.attributes.get(ino);
  const made = ino >= ANNEX_INO_START ? names.made.get(ino)! : null;
  const isDirectory = names.isDirectory(ino);
  const target = made?.target ?? null;
  const content = names.contentOf(ino);
  const size =
    target === null ? (content === 0 ? 0 : base.fileSize[content - 1]!) : encodeName(target).length;
  const slot = ino - 1;
  const hasTimes = set?.atime !== undefined || set?.mtime !== undefined || set?.ctime !== undefined;
  return {
    ino,
    type: isDirectory ? 'directory' : target === null ? 'file' : 'symlink',
    size,
    mode: target === null ? (set?.mode ?? made?.mode ?? base.mode[slot]!) : LINK_MODE,
    uid: set?.uid ?? made?.uid ?? base.uid[slot]!,
    gid: set?.gid ?? made?.gid ?? base.gid[slot]!,
    nlink: isDirectory ? (names.hasName(ino) ? 1 : 0) : names.links(ino),
    times: hasTimes ? timesOf(set) : null,
  };
}

function timesOf({ atime, mtime, ctime }: NonNullable<InodeStat['times']>): InodeStat['times'] {
  return { ...(atime && { atime }), ...(mtime && { mtime }), ...(ctime && { ctime }) };
}
