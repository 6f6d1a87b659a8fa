import type { Volume } from '../../famfs/index.js';
import type { FuseAttributeChange, NodeId } from '../../fuse/index.js';
import { fail } from '../../libc/index.js';
import { PERMISSION_BITS } from '../modes.js';
import { applyChange } from './attributes.js';
import type { Names } from './names.js';
import type { NewNode } from './new-files.js';

/** Handles SETATTR. @throws DaxError EPERM, EINVAL it would change what the log has fixed; ENOSPC */
export function changeAttributes(
  volume: Volume,
  names: Names,
  node: NodeId,
  change: FuseAttributeChange,
): void {
  const { ino, made } = names.resolve(node);
  if (made) changeMade(names, made, change);
  else changeLogged(volume, names, node, ino, change);
}

function changeMade(names: Names, made: NewNode, change: FuseAttributeChange): void {
  const { mode, uid, gid, size, ...times } = change;
  if (uid !== undefined || gid !== undefined) names.dropSetIds(made.node as NodeId);
  if (made.kind === 'file' && size !== undefined) made.growing.resize(size);
  const said = made.growing;
  if (mode !== undefined) said.mode = mode & PERMISSION_BITS;
  said.uid = uid ?? said.uid;
  said.gid = gid ?? said.gid;
  applyChange(names.attributes.overridesOf(made.node), times);
  names.newFiles.touch(made);
}

/**
 * Changes a published file or directory. The log fixes its mode, owner and size, so only equal values are accepted. The root has
 * no log entry: its mode and owner can change, and the changes last as long as the mount.
 */
function changeLogged(
  volume: Volume,
  names: Names,
  node: NodeId,
  ino: number,
  change: FuseAttributeChange,
): void {
  const { mode, uid, gid, size, ...times } = change;
  if (size !== undefined) mustKeepSize(volume, ino, size);
  const overrides = names.attributes.overridesOf(ino);
  if (ino === volume.inodes.root) {
    applyChange(overrides, change);
    return;
  }
  const now = names.attributesOf(node);
  const isSame =
    (mode === undefined || (mode & PERMISSION_BITS) === (now.mode & PERMISSION_BITS)) &&
    (uid === undefined || uid === now.uid) &&
    (gid === undefined || gid === now.gid);
  if (!isSame) {
    const path = volume.inodes.pathOf(ino);
    fail(
      'EPERM',
      `${path} keeps its mode and owner: the log of a famfs says them once, when a file is published ` +
        '(until it was closed and unchanged for settleMilliseconds they can be changed)',
      { path, hint: 'settle' },
    );
  }
  applyChange(overrides, times);
}

function mustKeepSize(volume: Volume, ino: number, size: number): void {
  const stat = volume.inodes.stat(ino);
  if (stat.type === 'file' && stat.size === size) return;
  const path = volume.inodes.pathOf(ino);
  fail('EINVAL', `${path} keeps its ${stat.size} bytes: a famfs file has the size it was made with`, {
    path,
  });
}
