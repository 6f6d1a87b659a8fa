import type { Volume } from '../../famfs/index.js';
import type { FuseAttributeChange, NodeId } from '../../fuse/index.js';
import { fail } from '../../libc/index.js';
import { PERMISSION_BITS, S_IFREG, withoutSetIds } from '../modes.js';
import { applyChange } from './attributes.js';
import type { Making } from './making.js';
import type { Names } from './names.js';
import { type NewNode, saidOf } from './new-files.js';

/** Handles SETATTR. */
export class AttributeChanges {
  readonly #volume: Volume;
  readonly #names: Names;
  readonly #making: Making;
  readonly #hasAnnex: boolean;

  /** @param hasAnnex whether mode and owner of what is published can be changed */
  constructor(volume: Volume, names: Names, making: Making, hasAnnex: boolean) {
    this.#volume = volume;
    this.#names = names;
    this.#making = making;
    this.#hasAnnex = hasAnnex;
  }

  /** @throws DaxError EPERM, EINVAL, EFBIG it would change what is fixed here; ENOSPC */
  apply(node: NodeId, change: FuseAttributeChange): void {
    const { ino, made } = this.#names.resolve(node);
    if (made) this.#changeMade(node, made, change);
    else if (change.size !== undefined && this.#changesSize(ino, change.size))
      this.#changeMade(node, this.#making.change(ino, Math.min(change.size, this.#sizeOf(ino))), change);
    else this.#changePublished(node, ino, change);
  }

  #changeMade(node: NodeId, made: NewNode, change: FuseAttributeChange): void {
    const { mode, uid, gid, size, ...times } = change;
    if (uid !== undefined || gid !== undefined) this.dropSetIds(node);
    const key = made.ino ?? made.node;
    if (made.kind === 'file' && size !== undefined) {
      made.growing.resize(size);
      this.#names.attributes.touch(key);
    }
    const said = saidOf(made);
    if (mode !== undefined) said.mode = mode & PERMISSION_BITS;
    said.uid = uid ?? said.uid;
    said.gid = gid ?? said.gid;
    applyChange(this.#names.attributes.overridesOf(key), times);
    this.#names.attributes.noteTimes(key);
    this.#names.newFiles.touch(made);
  }

  #sizeOf(ino: number): number {
    return this.#volume.inodes.stat(ino).size;
  }

  /** @returns whether a published file gets another size. @throws DaxError EINVAL its size is final here */
  #changesSize(ino: number, size: number): boolean {
    const stat = this.#volume.inodes.stat(ino);
    if (stat.type === 'file' && stat.size === size) return false;
    if (this.#making.maySize) return true;
    const path = this.#volume.inodes.pathOf(ino);
    return fail(
      'EINVAL',
      `${path} keeps its ${stat.size} bytes: in this mount a published file has the size it has`,
      { path },
    );
  }

  /** Changes what is published. The root has no entry: its mode and owner can change, and the changes last as long as the mount. */
  #changePublished(node: NodeId, ino: number, change: FuseAttributeChange): void {
    const { mode, uid, gid, size, ...times } = change;
    const overrides = this.#names.attributes.overridesOf(ino);
    if (ino === this.#volume.inodes.root) {
      applyChange(overrides, change);
      return;
    }
    const now = this.#names.attributesOf(node);
    const permissions = mode === undefined ? undefined : mode & PERMISSION_BITS;
    const isSame =
      (permissions === undefined || permissions === (now.mode & PERMISSION_BITS)) &&
      (uid === undefined || uid === now.uid) &&
      (gid === undefined || gid === now.gid);
    if (!isSame) {
      this.#mayChange(ino);
      const isOwned = uid !== undefined || gid !== undefined;
      const said = permissions ?? (isOwned ? this.#withoutSetIds(node) : undefined);
      delete overrides.mode;
      this.#volume.inodes.setAttributes(ino, {
        ...(said !== undefined && { mode: said }),
        ...(uid !== undefined && { uid }),
        ...(gid !== undefined && { gid }),
      });
      this.#names.wrote();
    }
    applyChange(overrides, times);
    this.#names.attributes.noteTimes(ino);
  }

  /** Removes the set-id bits of a file that is written or changes its owner. HANDLE_KILLPRIV_V2 leaves that to the server. */
  dropSetIds(node: NodeId): void {
    const kept = this.#withoutSetIds(node);
    if (kept === undefined) return;
    const { ino, made } = this.#names.resolve(node);
    if (made) saidOf(made).mode = kept;
    else if (this.#hasAnnex) {
      this.#volume.inodes.setAttributes(ino, { mode: kept });
      this.#names.wrote();
    } else this.#names.attributes.overridesOf(ino).mode = kept;
  }

  /** The mode of a file without its set-id bits; undefined when it has none, or is no file. */
  #withoutSetIds(node: NodeId): number | undefined {
    const { mode } = this.#names.attributesOf(node);
    if ((mode & ~PERMISSION_BITS) !== S_IFREG) return undefined;
    const kept = withoutSetIds(mode & PERMISSION_BITS);
    return kept === (mode & PERMISSION_BITS) ? undefined : kept;
  }

  #mayChange(ino: number): void {
    if (this.#hasAnnex) return;
    const path = this.#volume.inodes.pathOf(ino);
    fail(
      'EPERM',
      `${path} keeps its mode and owner: the log of a famfs says them once, when a file is published ` +
        '(until it was closed and unchanged for settleMilliseconds they can be changed)',
      { path, hint: 'settle' },
    );
  }
}
