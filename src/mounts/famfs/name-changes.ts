import type { Volume } from '../../famfs/index.js';
import type { FuseEntry, NodeId } from '../../fuse/index.js';
import { fail } from '../../libc/index.js';
import type { Making } from './making.js';
import type { Names } from './names.js';
import { isPending, type NewNode } from './new-files.js';
import { type NamePlace, Renaming } from './renaming.js';

/** The flags of renameat2(2). */
const NOREPLACE = 1;
const EXCHANGE = 2;

/**
 * Removes, moves and adds names. A name is in the making, or the volume's, or both: then the one in the making is seen, and takes the
 * place of the volume's when it is published. So a file that is saved by rename over its old self is there, old or new, whatever
 * happens; and when the new one is removed or moved away before that, the old one goes at once.
 */
export class NameChanges {
  readonly #volume: Volume;
  readonly #names: Names;
  readonly #making: Making;
  readonly #renaming: Renaming;
  readonly #hasAnnex: boolean;

  /** @param hasAnnex whether names of the volume can be changed */
  constructor(volume: Volume, names: Names, making: Making, hasAnnex: boolean) {
    this.#volume = volume;
    this.#names = names;
    this.#making = making;
    this.#renaming = new Renaming(names, making);
    this.#hasAnnex = hasAnnex;
  }

  /** Handles UNLINK and RMDIR. The kernel has checked that it is a file, or a directory. */
  remove(parent: NodeId, name: string, kind: 'file' | 'directory'): void {
    const made = this.#names.madeIn(parent, name);
    if (made) {
      if (made.made.kind === 'directory') this.#making.mustBeEmpty(made.made);
      if (this.#names.inoIn(parent, name) >= 0) this.#removePublished(parent, name, kind);
      this.#making.removeName(made);
    } else this.#removePublished(parent, name, kind);
    this.#changed(parent);
  }

  #removePublished(parent: NodeId, name: string, kind: 'file' | 'directory'): void {
    const ino = this.#mayChange(parent, name, 'removed');
    const directory = this.#names.directory(parent);
    if (kind === 'directory') {
      this.#mustHoldNothingNew(ino);
      this.#volume.inodes.rmdir(directory, name);
    } else {
      this.#volume.inodes.unlink(directory, name);
      this.#unlinked(ino);
    }
    this.#names.wrote();
  }

  /** A directory of the volume is empty only when nothing is being made in it either. @throws DaxError ENOTEMPTY */
  #mustHoldNothingNew(ino: number): void {
    for (const _inside of this.#names.newFiles.in(ino)) {
      const path = this.#volume.inodes.pathOf(ino);
      fail('ENOTEMPTY', `${path} is not empty`, { path });
    }
  }

  #unlinked(ino: number): void {
    if (this.#volume.inodes.stat(ino).nlink === 0) this.#making.unlinked(ino);
    else this.#names.attributes.changed(ino);
  }

  /** Handles RENAME and RENAME2. */
  rename(from: NamePlace, to: NamePlace, flags: number): void {
    if ((flags & ~(NOREPLACE | EXCHANGE)) !== 0 || flags === (NOREPLACE | EXCHANGE))
      fail('EINVAL', 'a name is renamed, or exchanged with another: famfs can leave no whiteout');
    if (flags === EXCHANGE) this.#exchange(from, to);
    else this.#move(from, to, flags === NOREPLACE);
    this.#changed(from.parent);
    this.#changed(to.parent);
  }

  #move(from: NamePlace, to: NamePlace, mustBeFree: boolean): void {
    const made = this.#names.madeIn(from.parent, from.name);
    const replaced = this.#names.madeIn(to.parent, to.name);
    const over = this.#names.inoIn(to.parent, to.name);
    if (mustBeFree && (replaced || over >= 0)) {
      const path = this.#names.pathIn(to.parent, to.name);
      fail('EEXIST', `${path} exists already`, { path });
    }
    if (made === undefined) this.#movePublished(from, to, over);
    else if (made !== replaced) this.#moveMade(from, to, over);
  }

  #moveMade(from: NamePlace, to: NamePlace, over: number): void {
    const made = this.#names.madeIn(from.parent, from.name)!;
    const hidden = this.#names.inoIn(from.parent, from.name);
    const replaced = this.#names.madeIn(to.parent, to.name);
    if (over >= 0 && !replaced) this.#mayReplace(made.made, to, over);
    this.#renaming.rename(made, to, replaced, over >= 0);
    if (hidden >= 0) this.#removePublished(from.parent, from.name, kindOf(made.made));
  }

  /** Checks that what is in the making may take a name of the volume. A directory takes it now, anything else when it is published. */
  #mayReplace(made: NewNode, { parent, name }: NamePlace, over: number): void {
    const ino = this.#mayChange(parent, name, 'replaced');
    const isDirectory = this.#volume.inodes.isDirectory(ino);
    const path = this.#names.pathIn(parent, name);
    if (made.kind !== 'directory' && isDirectory) fail('EISDIR', `${path} is a directory`, { path });
    if (made.kind === 'directory' && !isDirectory)
      fail('ENOTDIR', `${path} is a file, a directory cannot take its name`, { path });
    if (isDirectory) this.#removePublished(parent, name, 'directory');
    void over;
  }

  #movePublished(from: NamePlace, to: NamePlace, over: number): void {
    const ino = this.#mayChange(from.parent, from.name, 'renamed');
    const { inodes } = this.#volume;
    if (over >= 0 && inodes.isDirectory(over)) this.#mustHoldNothingNew(over);
    const replaced = this.#names.madeIn(to.parent, to.name);
    if (replaced) this.#mustBeReplaceable(ino, replaced.made, to);
    this.#publishDirectory(to.parent);
    this.#names.refresh();
    const [directory, target] = [this.#names.directory(from.parent), this.#names.directory(to.parent)];
    this.#volume.inodes.rename(directory, from.name, target, to.name);
    if (replaced) this.#making.removeName(replaced);
    if (over >= 0 && over !== ino) this.#unlinked(over);
    this.#names.attributes.changed(ino);
    this.#names.wrote();
  }

  #mustBeReplaceable(ino: number, replaced: NewNode, { parent, name }: NamePlace): void {
    const path = this.#names.pathIn(parent, name);
    const isDirectory = this.#volume.inodes.isDirectory(ino);
    if (!isDirectory && replaced.kind === 'directory') fail('EISDIR', `${path} is a directory`, { path });
    if (isDirectory && replaced.kind !== 'directory')
      fail('ENOTDIR', `${path} is a file, a directory cannot take its name`, { path });
    if (replaced.kind === 'directory') this.#making.mustBeEmpty(replaced);
  }

  /** Exchanges two names. What is in the making is published before. */
  #exchange(from: NamePlace, to: NamePlace): void {
    for (const { parent, name } of [from, to]) {
      const made = this.#names.madeIn(parent, name);
      if (made === undefined) this.#mayChange(parent, name, 'renamed');
      else if (this.#hasAnnex) this.#making.settling.publish(made.made);
      else fail('EINVAL', 'what is in the making cannot be exchanged without an annex');
    }
    const [directory, target] = [this.#names.directory(from.parent), this.#names.directory(to.parent)];
    this.#volume.inodes.rename(directory, from.name, target, to.name, { exchange: true });
    this.#names.wrote();
  }

  /** Handles LINK. */
  link(node: NodeId, parent: NodeId, name: string): FuseEntry {
    const { ino, made } = this.#names.resolve(node);
    if (made && made.ino === null) {
      if (made.isRemoved || made.kind === 'directory')
        fail('ENOENT', 'what was removed cannot get a name again');
      this.#mayLink(parent, name);
      this.#making.link(made, parent, name);
      this.#changed(parent);
      return this.#names.madeEntry(made);
    }
    this.#mayLink(parent, name);
    this.#publishDirectory(parent);
    this.#volume.inodes.link(ino!, this.#names.directory(parent), name);
    this.#names.attributes.changed(ino!);
    this.#names.wrote();
    this.#changed(parent);
    return this.#names.entryOf(ino!);
  }

  #mayLink(parent: NodeId, name: string): void {
    if (this.#hasAnnex) return;
    const path = this.#names.pathIn(parent, name);
    fail('EPERM', `${path} cannot be made: there are no links here`, { path });
  }

  /** Publishes a directory that is to hold something published. */
  #publishDirectory(node: NodeId): void {
    const { made } = this.#names.resolve(node);
    if (made && isPending(made)) this.#making.settling.publish(made);
  }

  /** @returns the inode that has a name. @throws DaxError ENOENT; EPERM names of the volume cannot be changed here */
  #mayChange(parent: NodeId, name: string, what: string): number {
    const path = this.#names.pathIn(parent, name);
    const ino = this.#names.inoIn(parent, name);
    if (ino < 0) fail('ENOENT', `${path} does not exist`, { path });
    if (this.#hasAnnex) return ino;
    return fail('EPERM', `${path} cannot be ${what}: this mount shows and keeps what the log says`, { path });
  }

  /** Notes that names in a directory changed. */
  #changed(parent: NodeId): void {
    this.#names.attributes.touch(this.#names.directory(parent));
  }
}

function kindOf({ kind }: NewNode): 'file' | 'directory' {
  return kind === 'directory' ? 'directory' : 'file';
}
