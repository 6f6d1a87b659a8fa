import type { FuseEntry, FuseRequestContext, NodeId } from '../../fuse/index.js';
import { fail } from '../../libc/index.js';
import { isRegular, PERMISSION_BITS, S_ISGID } from '../modes.js';
import type { Making, Ownership } from './making.js';
import type { Names } from './names.js';
import type { NewFile, NewNode } from './new-files.js';

const SYMLINK_MODE = 0o777;

/** Handles the requests that make files, directories and symbolic links. Modes come without the bits of the umask. */
export class Creations {
  readonly #names: Names;
  readonly #making: Making;
  readonly #hasAnnex: boolean;

  /** @param hasAnnex whether the volume takes symbolic links and empty files */
  constructor(names: Names, making: Making, hasAnnex: boolean) {
    this.#names = names;
    this.#making = making;
    this.#hasAnnex = hasAnnex;
  }

  /** Handles CREATE. The caller opens the file. */
  file(
    parent: NodeId,
    name: string,
    mode: number,
    context: FuseRequestContext,
    isExclusive: boolean,
  ): NewFile {
    const { gid } = this.#groupIn(parent, context);
    const owner: Ownership = { mode: mode & PERMISSION_BITS, uid: context.uid, gid };
    const file = this.#making.makeFile(parent, name, owner, isExclusive);
    this.#names.attributes.touch(this.#names.directory(parent));
    return file;
  }

  directory(parent: NodeId, name: string, mode: number, context: FuseRequestContext): FuseEntry {
    const { gid, inherited } = this.#groupIn(parent, context);
    const owner: Ownership = { mode: (mode & PERMISSION_BITS) | inherited, uid: context.uid, gid };
    return this.#entry(parent, this.#making.makeDirectory(parent, name, owner));
  }

  symlink(parent: NodeId, name: string, target: string, context: FuseRequestContext): FuseEntry {
    if (!this.#hasAnnex) this.#refuse(parent, name, 'there are no symbolic links here');
    const { gid } = this.#groupIn(parent, context);
    const owner: Ownership = { mode: SYMLINK_MODE, uid: context.uid, gid };
    return this.#entry(parent, this.#making.makeSymlink(parent, name, target, owner));
  }

  /** Handles MKNOD. */
  node(parent: NodeId, name: string, mode: number, context: FuseRequestContext): FuseEntry {
    if (!isRegular(mode) || !this.#hasAnnex)
      this.#refuse(parent, name, 'mknod(2) makes regular files only, and only where they may be empty');
    return this.#entry(parent, this.file(parent, name, mode, context, true));
  }

  /** The entry of something new that nobody has open. */
  #entry(parent: NodeId, made: NewNode): FuseEntry {
    if (made.kind !== 'file') this.#names.attributes.touch(this.#names.directory(parent));
    const entry = this.#names.madeEntry(made);
    if (this.#making.settling.isImmediate) this.#making.settling.publish(made);
    return entry;
  }

  #refuse(parent: NodeId, name: string, why: string): never {
    const path = this.#names.pathIn(parent, name);
    return fail('EPERM', `${path} cannot be made: ${why}`, { path });
  }

  /** A directory with the set-group-id bit gives its group to what is made in it, and the bit to new directories. */
  #groupIn(parent: NodeId, context: FuseRequestContext): { gid: number; inherited: number } {
    const { mode, gid } = this.#names.attributesOf(parent);
    return (mode & S_ISGID) !== 0 ? { gid, inherited: S_ISGID } : { gid: context.gid, inherited: 0 };
  }
}
