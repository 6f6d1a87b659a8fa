import type { ArchiveMember } from './member.js';
import { type ArchiveSource, otherFormat } from './source.js';
import { isTar, tarMembers } from './tar.js';
import { zipEntries } from './zip.js';

const DIRECTORY_TYPE = 0o040000;
const LINK_TYPE = 0o120000;
const FILE_TYPE = 0o100000;
const TYPE_BITS = 0o170000;
const PERMISSION_BITS = 0o7777;

/**
 * The members of a zip or tar archive by name, in its order.
 * @throws DaxError EINVAL neither; EBADMSG damaged, or two members share a byte; EOPNOTSUPP in several parts
 */
export function readMembers(source: ArchiveSource): Map<string, ArchiveMember> {
  const head = source.view(0, Math.min(source.size, 512));
  if (isTar(head)) return tarMembers(source);
  if (head[0] === 0x1f && head[1] === 0x8b) otherFormat(source, 'zip or tar', 'it is compressed by gzip');
  return zipMembers(source);
}

function zipMembers(source: ArchiveSource): Map<string, ArchiveMember> {
  const members = new Map<string, ArchiveMember>();
  for (const entry of zipEntries(source)) {
    const name = entry.name.replace(/\/$/, '');
    members.set(name, {
      name,
      type: typeOf(entry),
      size: entry.size,
      byteOffset: entry.byteOffset,
      isStored: entry.method === 0,
      mode: entry.unixMode === null ? null : entry.unixMode & PERMISSION_BITS,
      modifiedMs: entry.modifiedMs,
      crc32: entry.crc32,
    });
  }
  return members;
}

function typeOf({ name, unixMode }: { name: string; unixMode: number | null }): ArchiveMember['type'] {
  if (name.endsWith('/')) return 'directory';
  const type = (unixMode ?? 0) & TYPE_BITS;
  if (type === LINK_TYPE) return 'symlink';
  if (type === DIRECTORY_TYPE) return 'directory';
  return type === 0 || type === FILE_TYPE ? 'file' : 'other';
}
