import type { Volume } from '../../famfs/index.js';
import type { FuseHost, NodeId } from '../../fuse/index.js';
import { DaxError, fail, hasCode } from '../../libc/index.js';
import type { Names } from './names.js';
import type { NewDirectory, NewFile, NewNode } from './new-files.js';
import { type FileMaker, GrowingHandle, type LoggedFiles, type OpenFile } from './open-file.js';
import { isOpenAnywhere } from './processes.js';
import { Settling } from './settling.js';

/** Mode and owner of a new file or directory. The caller has applied the umask and the inherited group. */
export interface Ownership {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** Handles files and directories that are made through a mount, from CREATE or MKDIR until they are published or given up. */
export class Making implements FileMaker {
  /** `major:minor` of the file system, set once it is mounted. */
  device = '';
  readonly settling: Settling;
  readonly #volume: Volume;
  readonly #host: FuseHost;
  readonly #names: Names;
  readonly #logged: LoggedFiles;

  /** @param settleMilliseconds how long a new file or directory stays unpublished after its last change */
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

  /** Makes a file. @param isExclusive fail with EEXIST when another process or mount is making a file of this name (O_EXCL) */
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

  /** How many log entries are promised to files and directories in the making. */
  get #promised(): number {
    return this.#names.newFiles.unpublishedCount;
  }

  /** Removes a file in the making. Its name is free at once; its space is given back with its last handle. */
  removeFile(file: NewFile): void {
    if (file.opens === 0) file.growing.end();
    else file.growing.name.release();
    this.#names.newFiles.removed(file);
  }

  /** @throws DaxError ENOTEMPTY */
  removeDirectory(directory: NewDirectory): void {
    this.mustBeEmpty(directory);
    directory.growing.end();
    this.#names.newFiles.removed(directory);
  }

  /** @throws DaxError ENOTEMPTY */
  mustBeEmpty(directory: NewDirectory): void {
    for (const _inside of this.#names.newFiles.in(directory.node)) {
      const path = this.#names.pathOf(directory.node as NodeId);
      fail('ENOTEMPTY', `${path} is not empty`, { path });
    }
  }

  open(file: NewFile, writable: boolean): OpenFile {
    if (writable) this.#names.newFiles.countWriters(file, 1);
    return new GrowingHandle(file, writable, this);
  }

  openLogged(ino: number, writable: boolean): OpenFile {
    return this.#logged.open(ino, writable);
  }

  /**
   * Handles a close(2). That is the last call whose error a program sees, so the errors of a new file are reported there: to the
   * process that closes the last descriptor of all processes. (A child that inherited a descriptor may go on writing after its
   * parent has ended, and shells close copies.) Only RELEASE proves that no user is left: it comes when all copies are gone, also
   * mapped files and descriptors in flight.
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

  /** Handles fsync(2): publishes a file at once when no handle writes it, else as soon as it is closed. Publishing fixes its size. */
  sync(made: NewNode): void {
    if (made.kind !== 'file' || made.isRemoved) return;
    made.isHurried = true;
    if (made.writers === 0) this.settling.publish(made);
  }

  /** Ends all files in the making, because the mount has ended: they leave no trace. */
  end(): void {
    for (const file of this.#names.newFiles.growing()) file.growing.end();
  }

  #isDue(file: NewFile): boolean {
    return this.settling.isImmediate || file.isHurried;
  }

  /** Gives up a file that will not be published. Its name and its space are free again. */
  #abandon(file: NewFile): void {
    const { parent, name, isRemoved } = file;
    file.growing.end();
    this.#names.attributes.drop(file.node);
    this.#names.newFiles.removed(file);
    if (!isRemoved) this.#host.invalidateEntry(this.#names.newFiles.nodeOf(parent) as NodeId, name);
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
