/** What stat() says of an inode of a volume that has an annex. */
import { ANNEX_INO_START } from './annex-layout.js';
import type { AnnexNames } from './annex-names.js';
import { encodeName } from './path.js';
import type { InodeStat } from './tree.js';

const LINK_MODE = 0o777;

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
