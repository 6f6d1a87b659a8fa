/** Changes attributes of published inodes: mode, owner, times, attributes of users. Each is one record of the annex. */
import { fail } from '../../libc/index.js';
import { MOST_NAME_BYTES, MOST_XATTR_BYTES, USER_XATTR_PREFIX } from '../media/annex-layout.js';
import type { FileTime } from '../media/annex-record.js';
import { encodeName } from '../media/path.js';
import type { FileTree } from '../media/tree.js';
import type { MountedFamfs } from './mounted.js';
import { permissions } from './name-rules.js';

const NO_OWNER = 0xffffffff;

/** What setAttributes() sets; what is absent stays. */
export interface AttributeChange {
  mode?: number;
  uid?: number;
  gid?: number;
}

export interface TimesChange {
  atime?: FileTime;
  mtime?: FileTime;
  ctime?: FileTime;
}

export interface XattrFlags {
  /** EEXIST when the attribute is there. */
  create?: boolean;
  /** ENODATA when it is not. */
  replace?: boolean;
}

export function setAttributes(
  mounted: MountedFamfs,
  ino: number,
  change: AttributeChange,
  path: string,
): void {
  const { mode, uid, gid } = change;
  if (mode !== undefined) permissions(mode, path);
  for (const id of [uid, gid])
    if (id !== undefined && (id >>> 0 !== id || id === NO_OWNER))
      fail('EINVAL', `${id} is no owner of ${path}`, { path });
  if (mode === undefined && uid === undefined && gid === undefined) return;
  mounted.session(() => {
    if (mode !== undefined && mounted.tree.linkTarget(ino) !== null)
      fail('EOPNOTSUPP', `${path} is a symbolic link: its mode is that of its target`, { path });
    mounted.annex.write({
      kind: 'attributes',
      ino,
      ...(mode !== undefined && { mode }),
      ...(uid !== undefined && { uid }),
      ...(gid !== undefined && { gid }),
    });
  });
}

export function setTimes(mounted: MountedFamfs, ino: number, times: TimesChange): void {
  mounted.session(() => {
    mounted.tree.stat(ino);
    mounted.annex.write({ kind: 'times', ino, ...times });
  });
}

/** @throws DaxError EOPNOTSUPP no attribute of users; ERANGE its name; E2BIG; EEXIST, ENODATA by the flags */
export function setXattr(
  mounted: MountedFamfs,
  ino: number,
  name: string,
  value: Uint8Array,
  { create = false, replace = false }: XattrFlags = {},
): void {
  checkXattrName(name);
  if (value.length > MOST_XATTR_BYTES)
    fail('E2BIG', `the value of ${name} has ${value.length} bytes, it may have ${MOST_XATTR_BYTES}`);
  mounted.session(() => {
    mustTakeXattrs(mounted.tree, ino);
    const known = xattrsOf(mounted.tree, ino)?.has(name) ?? false;
    if (create && known) fail('EEXIST', `${name} is there already`);
    if (replace && !known) fail('ENODATA', `${name} is not there`);
    mounted.annex.write({ kind: 'xattr', ino, name, value });
  });
}

/** @throws DaxError ENODATA it is not there; EOPNOTSUPP no attribute of users */
export function removeXattr(mounted: MountedFamfs, ino: number, name: string): void {
  checkXattrName(name);
  mounted.session(() => {
    mustTakeXattrs(mounted.tree, ino);
    if (!xattrsOf(mounted.tree, ino)?.has(name)) fail('ENODATA', `${name} is not there`);
    mounted.annex.write({ kind: 'xattr', ino, name, value: null });
  });
}

/** @throws DaxError ENODATA it is not there; EOPNOTSUPP no attribute of users */
export function getXattr(tree: FileTree, ino: number, name: string): Uint8Array {
  checkXattrName(name);
  tree.stat(ino);
  const value = xattrsOf(tree, ino)?.get(name);
  return value?.slice() ?? fail('ENODATA', `${name} is not there`);
}

/** The names of all attributes, sorted. */
export function listXattrs(tree: FileTree, ino: number): string[] {
  tree.stat(ino);
  return [...(xattrsOf(tree, ino)?.keys() ?? [])].sort();
}

function xattrsOf(tree: FileTree, ino: number): Map<string, Uint8Array> | undefined {
  return tree.annex?.names.attributes.get(ino)?.xattrs;
}

/** As on Linux: attributes of users are for files and directories. */
function mustTakeXattrs(tree: FileTree, ino: number): void {
  if (tree.stat(ino).type === 'symlink') fail('EPERM', 'a symbolic link has no attributes of users');
}

function checkXattrName(name: string): void {
  if (!name.startsWith(USER_XATTR_PREFIX))
    fail('EOPNOTSUPP', `${name}: only attributes of users (user.*) are kept`);
  const { length } = encodeName(name);
  if (length === USER_XATTR_PREFIX.length) fail('EINVAL', `${name} has no name behind its prefix`);
  if (length > MOST_NAME_BYTES || name.includes('\0'))
    fail('ERANGE', `the name of an attribute has at most ${MOST_NAME_BYTES} bytes and no NUL`);
}
