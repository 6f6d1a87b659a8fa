import { type NameInDirectory, toLogPath, type Volume } from '../../famfs/index.js';
import type { FuseHost, NodeId } from '../../fuse/index.js';
import { DaxError, fail, hasCode } from '../../libc/index.js';
import type { Names } from './names.js';
import {
  isPending,
  type NewDirectory,
  type NewFile,
  type NewName,
  type NewNode,
  type NewPlaceOf,
  type NewSymlink,
} from './new-files.js';
import { type FileMaker, GrowingHandle, type LoggedFiles, type OpenFile } from './open-file.js';
import { isOpenAnywhere } from './processes.js';
import { publishMade } from './publishing.js';
import { Settling } from './settling.js';

/** Mode and owner of what is made. The caller has applied the umask and the inherited group. */
export interface Ownership {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface MakingOptions {
  /** How long something new stays unpublished after its last change. */
  readonly settleMilliseconds: number;
  /** Whether the volume takes what a log cannot say: empty files, changes of what is published. */
  readonly hasAnnex: boolean;
}

/** Handles what is made or changed through a mount, until it is published or given up. */
export class Making implements FileMaker {
  /** `major:minor` of the file system, set once it is mounted. */
  device = '';
  readonly settling: Settling;
  readonly #volume: Volume;
  readonly #host: FuseHost;
  readonly #names: Names;
  readonly #logged: LoggedFiles;
  readonly #hasAnnex: boolean;

  constructor(
    volume: Volume,
    host: FuseHost,
    names: Names,
    logged: LoggedFiles,
    { settleMilliseconds, hasAnnex }: MakingOptions,
  ) {
    this.#volume = volume;
    this.#host = host;
    this.#names = names;
    this.#logged = logged;
    this.#hasAnnex = hasAnnex;
    if (this.maySize) logged.grow = (ino) => this.change(ino);
    this.settling = new Settling(names.newFiles, settleMilliseconds, {
      publish: (made) => publishMade(volume, names, made),
      isReady: (made) => this.#isReady(made),
      failed: (_made, error) => host.report(error),
    });
  }

  /** Whether published files can get another size. */
  get maySize(): boolean {
    return this.#hasAnnex && !this.#logged.areFinal;
  }

  /** Makes a file. @param isExclusive fail with EEXIST when another process or mount is making a file of this name (O_EXCL) */
  makeFile(parent: NodeId, name: string, ownership: Ownership, isExclusive: boolean): NewFile {
    const { inodes } = this.#volume;
    const { place, options } = this.#begin(parent, name, ownership);
    const growing = existingIf(isExclusive, () => inodes.grow(place, options));
    const file = this.#names.newFiles.addFile(this.#at(parent, name, growing.name), growing);
    this.#names.attributes.born(file.node);
    return file;
  }

  makeDirectory(parent: NodeId, name: string, ownership: Ownership): NewDirectory {
    const { inodes } = this.#volume;
    const { place, options } = this.#begin(parent, name, ownership);
    const growing = existingIf(true, () => inodes.growDirectory(place, options));
    const made = this.#names.newFiles.addDirectory(this.#at(parent, name, growing.name), growing);
    this.#names.attributes.born(made.node);
    return made;
  }

  makeSymlink(parent: NodeId, name: string, target: string, ownership: Ownership): NewSymlink {
    const kept = this.#keep(parent, name);
    const made = this.#names.newFiles.addSymlink(this.#at(parent, name, kept), target, ownership);
    this.#names.attributes.born(made.node);
    return made;
  }

  /** Gives what is in the making one more name. */
  link(made: NewNode, parent: NodeId, name: string): void {
    this.#names.newFiles.link(made, this.#at(parent, name, this.#keep(parent, name)));
    this.#names.attributes.changed(made.node);
  }

  #begin(parent: NodeId, name: string, ownership: Ownership) {
    const place = this.placeIn(parent, name);
    return { place, options: { ...ownership, entriesBefore: this.#promised } };
  }

  /** The place of a new name. @throws DaxError ENAMETOOLONG where only the log can say it, and its path is too long for that */
  placeIn(parent: NodeId, name: string): NameInDirectory {
    if (!this.#hasAnnex) toLogPath(this.#names.pathIn(parent, name));
    return this.#names.placeIn(parent, name);
  }

  #keep(parent: NodeId, name: string): NewPlaceOf['kept'] {
    const place = this.placeIn(parent, name);
    return existingIf(true, () => this.#volume.inodes.keepName(place, this.#promised));
  }

  #at(parent: NodeId, name: string, kept: NewPlaceOf['kept']): NewPlaceOf {
    return { parent: this.#names.directory(parent), name, kept };
  }

  /** How many log entries are promised to what is in the making. */
  get #promised(): number {
    return this.#names.newFiles.unpublishedCount;
  }

  /**
   * Puts a published file into the making again: what it will hold replaces what it holds, under all its names, when it is published.
   * @param keep how many of its bytes are kept; default: all
   */
  change(ino: number, keep = Number.MAX_SAFE_INTEGER): NewFile {
    const { newFiles } = this.#names;
    const known = newFiles.byIno(ino) as NewFile | undefined;
    if (known?.isPending) return known;
    this.#names.refresh();
    const growing = this.#volume.inodes.regrow(ino, keep);
    const made = known ?? newFiles.addChanged(ino, growing, this.#names.takeLookups(ino));
    if (known) newFiles.changes(known, growing);
    this.#logged.follow(ino, made, this);
    if (this.#volume.inodes.stat(ino).nlink === 0) newFiles.removed(made);
    return made;
  }

  /** Takes a name away from what is in the making. It is free at once; the space of a file is given back with its last handle. */
  removeName(name: NewName): void {
    const { made } = name;
    const { newFiles } = this.#names;
    if (made.kind === 'directory') this.mustBeEmpty(made);
    name.kept.release();
    newFiles.unlink(name);
    this.#names.attributes.changed(made.node);
    if (made.kind === 'file' && made.names[0]) made.growing.name = made.names[0].kept;
    if (made.isRemoved) this.#endUnlessOpen(made);
  }

  #endUnlessOpen(made: NewNode): void {
    if (made.kind === 'directory') made.growing.end();
    else if (made.kind === 'file' && made.opens === 0) made.growing.end();
    this.#names.newFiles.dropIfUnused(made);
  }

  /** The last name of a published file was removed: what is pending of it is not published any more. */
  unlinked(ino: number): void {
    const made = this.#names.newFiles.byIno(ino);
    if (made?.kind !== 'file' || !made.isPending) return;
    this.#names.newFiles.removed(made);
    if (made.opens === 0) this.#giveUpChange(made);
  }

  /** @throws DaxError ENOTEMPTY */
  mustBeEmpty(directory: NewDirectory): void {
    for (const _inside of this.#names.newFiles.in(directory.node)) {
      const path = this.#names.pathOf(directory.node as NodeId);
      fail('ENOTEMPTY', `${path} is not empty`, { path });
    }
  }

  open(file: NewFile, writable: boolean): GrowingHandle {
    if (writable) this.#names.newFiles.countWriters(file, 1);
    return new GrowingHandle(file, writable, this);
  }

  openLogged(ino: number, writable: boolean): OpenFile {
    return this.#logged.open(ino, writable, false);
  }

  reaching(file: NewFile, end: number): void {
    if (this.maySize && end > this.#volume.inodes.stat(file.ino!).size) this.change(file.ino!);
  }

  /**
   * Handles a close(2). That is the last call whose error a program sees, so the errors of a new file are reported there: to the
   * process that closes the last descriptor of all processes. (A child that inherited a descriptor may go on writing after its
   * parent has ended, and shells close copies.) Only RELEASE proves that no user is left: it comes when all copies are gone, also
   * mapped files and descriptors in flight.
   */
  closing(file: NewFile, pid: number): void {
    if (!file.isPending || file.isRemoved) return;
    if (this.#isWhole(file) && !this.#isDue(file)) return;
    if (isOpenAnywhere({ device: this.device, inode: file.node }, pid)) return;
    if (!this.#isWhole(file)) this.#refuse(file);
    if (file.writers === 1) this.settling.publish(file);
  }

  releasing(file: NewFile, writable: boolean): void {
    if (writable) this.#names.newFiles.countWriters(file, -1);
    if (!file.isPending) return;
    if (file.writers === 0 && this.#isWhole(file) && !file.isRemoved) {
      if (this.#isDue(file)) this.settling.tryToPublish(file);
    } else if (file.opens === 1) this.#abandon(file);
  }

  released(file: NewFile): void {
    this.#names.newFiles.dropIfUnused(file);
  }

  /**
   * Handles fsync(2): publishes at once. Where the size of a published file is final, a file that is still written is published as soon
   * as it is closed.
   */
  sync(made: NewNode): void {
    if (made.isRemoved || !isPending(made)) return;
    if (made.kind === 'file') {
      const mustWait = made.writers > 0 && !this.maySize;
      made.isHurried = mustWait;
      if (mustWait || (made.growing.size === 0 && !this.#hasAnnex)) return;
    }
    this.settling.publish(made);
  }

  /** Ends all files in the making, because the mount has ended: they leave no trace. */
  end(): void {
    for (const file of this.#names.newFiles.growing()) file.growing.end();
  }

  #isReady(made: NewNode): boolean {
    return made.kind !== 'file' || (made.writers === 0 && this.#isWhole(made));
  }

  /** Whether it can be kept as it is. Without an annex an empty file cannot. */
  #isWhole({ growing }: NewFile): boolean {
    return growing.isWhole && (growing.size > 0 || this.#hasAnnex);
  }

  /** @throws DaxError ENOSPC its last write found no space; EINVAL it is empty */
  #refuse({ growing }: NewFile): never {
    growing.assertWhole();
    const { path } = growing.name;
    return fail('EINVAL', `${path} is empty: the log of a famfs has no empty files, so it is not kept`, {
      path,
    });
  }

  #isDue(file: NewFile): boolean {
    return this.settling.isImmediate || file.isHurried;
  }

  /** Gives up a file that will not be published. Its names and its space are free again. */
  #abandon(file: NewFile): void {
    if (file.ino !== null) {
      this.#giveUpChange(file);
      return;
    }
    const { newFiles } = this.#names;
    this.#names.attributes.drop(file.node);
    for (const name of [...file.names]) {
      name.kept.release();
      newFiles.unlink(name);
      this.#host.invalidateEntry(newFiles.nodeOf(name.parent) as NodeId, name.name);
    }
    file.growing.end();
  }

  /** A published file holds again what it held before it was changed. */
  #giveUpChange(file: NewFile): void {
    file.growing.end();
    this.#names.newFiles.changeIsOver(file);
    this.#host.invalidateInode(file.node as NodeId);
  }
}

/** Turns EBUSY into EEXIST for an exclusive create: a name that is in the making elsewhere counts as existing then. */
function existingIf<T>(isExclusive: boolean, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (isExclusive && hasCode(error, 'EBUSY'))
      throw new DaxError('EEXIST', (error as DaxError).message, { cause: error });
    throw error;
  }
}
