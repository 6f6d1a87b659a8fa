import type { Volume } from '../../famfs/index.js';
import type { FuseHost, NodeId } from '../../fuse/index.js';
import { DaxError, fail, hasCode } from '../../libc/index.js';
import type { Names } from './names.js';
import type { NewDirectory, NewFile, NewNode } from './new-files.js';
import {
  type FileMaker,
  GrowingHandle,
  type LoggedFile,
  type LoggedFiles,
  type OpenFile,
} from './open-file.js';
import { isOpenAnywhere } from './processes.js';
import { Settling } from './settling.js';

/** What a new thing is made as; its maker has seen to umask and inherited groups. */
export interface Ownership {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** What is made through a mount, from its CREATE or MKDIR until it is in the log, or is not to be. */
export class Making implements FileMaker {
  /** `major:minor` of the mounted file system, once it is. */
  device = '';
  readonly settling: Settling;
  readonly #volume: Volume;
  readonly #host: FuseHost;
  readonly #names: Names;
  readonly #logged: LoggedFiles;

  /** @param settleMilliseconds how long what was made stays unpublished after its last change */
  constructor(volume: Volume, host: FuseHost, names: Names, logged: LoggedFiles, settleMilliseconds: number) {
    this.#volume = volume;
    this.#host = host;
    this.#names = names;
    this.#logged = logged;
    this.settling = new Settling(names.newFiles, settleMilliseconds, {
      publish: (made) => names.published(made, made.growing.publish()),
      failed: (_made, error) => host.report(error),
    });
  }

  /** @param isExclusive the maker wants to be the only one */
  makeFile(parent: NodeId, name: string, ownership: Ownership, isExclusive: boolean): NewFile {
    const directory = this.#names.directory(parent);
    const place = this.#names.placeIn(parent, name);
    const growing = existingIf(isExclusive, () =>
      this.#volume.inodes.grow(place, { ...ownership, entriesBefore: this.#promised }),
    );
    const file = this.#names.newFiles.addFile({ parent: directory, name, growing });
    this.#names.attributes.touch(file.node);
    return file;
  }

  makeDirectory(parent: NodeId, name: string, ownership: Ownership): NewDirectory {
    const directory = this.#names.directory(parent);
    const place = this.#names.placeIn(parent, name);
    const growing = existingIf(true, () =>
      this.#volume.inodes.growDirectory(place, { ...ownership, entriesBefore: this.#promised }),
    );
    const made = this.#names.newFiles.addDirectory({ parent: directory, name, growing });
    this.#names.attributes.touch(made.node);
    return made;
  }

  /** What of the log is spoken for by what was made here. */
  get #promised(): number {
    return this.#names.newFiles.unpublishedCount;
  }

  /** Nothing of it is in the log yet: it ends with its last handle. */
  removeFile(file: NewFile): void {
    if (file.opens === 0) file.growing.end();
    this.#names.newFiles.removed(file);
  }

  /** @throws DaxError ENOTEMPTY */
  removeDirectory(directory: NewDirectory): void {
    for (const _inside of this.#names.newFiles.in(directory.node)) {
      const path = this.#names.pathOf(directory.node as NodeId);
      fail('ENOTEMPTY', `${path} is not empty`, { path });
    }
    directory.growing.end();
    this.#names.newFiles.removed(directory);
  }

  open(file: NewFile, writable: boolean): OpenFile {
    if (writable) this.#names.newFiles.countWriters(file, 1);
    return new GrowingHandle(file, writable, this);
  }

  openLogged(ino: number, writable: boolean): LoggedFile {
    return this.#logged.open(ino, writable);
  }

  /**
   * close(2) is the last call whose error somebody sees, so what is wrong with a new file is said there: to whoever closes its last
   * descriptor, of all processes (a child that inherited one goes on writing when its maker has ended, and shells close copies).
   * That nobody has it any more is sure only at RELEASE, when the last of all copies is gone, mapped and sent ones too.
   */
  closing(file: NewFile, pid: number): void {
    if (file.ino !== null || file.isRemoved) return;
    if (file.growing.isWhole && !this.#isDue(file)) return;
    if (isOpenAnywhere({ device: this.device, inode: file.node }, pid)) return;
    file.growing.assertWhole();
    if (file.writers === 1) this.settling.publish(file);
  }

  releasing(file: NewFile, writable: boolean): void {
    if (writable) this.#names.newFiles.countWriters(file, -1);
    if (file.ino !== null) return;
    if (file.writers === 0 && file.growing.isWhole && !file.isRemoved) {
      if (this.#isDue(file)) this.settling.tryToPublish(file);
    } else if (file.opens === 1) this.#abandon(file);
  }

  released(file: NewFile): void {
    this.#names.newFiles.dropIfUnused(file);
  }

  /** Published at once when nobody writes it, else as soon as it is closed, since its size is fixed by that. */
  sync(made: NewNode): void {
    if (made.kind !== 'file' || made.isRemoved) return;
    made.isHurried = true;
    if (made.writers === 0) this.settling.publish(made);
  }

  /** The mount has ended: what is not in the log is as if it had never been made. */
  end(): void {
    for (const file of this.#names.newFiles.growing()) file.growing.end();
  }

  #isDue(file: NewFile): boolean {
    return this.settling.isImmediate || file.isHurried;
  }

  /** A file that is not to be: its name and its space are free again. */
  #abandon(file: NewFile): void {
    const { parent, name, isRemoved } = file;
    file.growing.end();
    this.#names.attributes.drop(file.node);
    this.#names.newFiles.removed(file);
    if (!isRemoved) this.#host.invalidateEntry(this.#names.newFiles.nodeOf(parent) as NodeId, name);
  }
}

/** To who wants to be the only maker of a name, one that is being made is there: EBUSY becomes EEXIST. */
function existingIf<T>(isExclusive: boolean, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (isExclusive && hasCode(error, 'EBUSY'))
      throw new DaxError('EEXIST', (error as DaxError).message, { cause: error });
    throw error;
  }
}
