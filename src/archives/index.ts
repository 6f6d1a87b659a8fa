/**
 * archives/: zip and tar as places in bytes, and their headers as bytes.
 *
 * Purpose: say where the members of an archive lie, so that they can be seen where they are; and make the headers of an archive
 * whose members begin at whole pages.
 * Invariants: headers are hostile until checked: no count, length or offset is followed further than there are bytes, no member
 * reaches outside the archive or into another member, and time and memory are bounded by the bytes that headers have. A name is a
 * key: nothing is ever made on a file system under it. Nothing is unpacked.
 * Failure: EINVAL no archive; EBADMSG damaged (name, byte and reason); EOPNOTSUPP right perhaps, but not read here.
 */
export type { ArchiveMember, ArchiveWriter, NewMember } from './member.js';
export { readMembers } from './members.js';
export {
  type ArchiveSource,
  damaged,
  otherFormat,
  pathOf,
  shownName,
  unsupported,
  viewOf,
} from './source.js';
export { TarWriter } from './tar-writer.js';
export { zipEntries } from './zip.js';
export { ZipWriter } from './zip-writer.js';
