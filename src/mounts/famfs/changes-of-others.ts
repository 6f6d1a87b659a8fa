import type { AnnexChange, Volume } from '../../famfs/index.js';
import type { FuseHost, NodeId } from '../../fuse/index.js';
import type { NewFiles } from './new-files.js';

/**
 * Tells the kernel what others have changed in the annex: names that it may have cached, attributes, contents. What this mount changed
 * itself the kernel knows: its own records are left out.
 */
export class ChangesOfOthers {
  /** Called for each file that got other bytes, also by this mount. */
  onReplaced: (ino: number) => void = () => {};
  readonly #volume: Volume;
  readonly #host: FuseHost;
  readonly #newFiles: NewFiles;
  #position: Volume['inodes']['position'];

  constructor(volume: Volume, host: FuseHost, newFiles: NewFiles) {
    this.#volume = volume;
    this.#host = host;
    this.#newFiles = newFiles;
    this.#position = volume.inodes.position;
  }

  /**
   * Tells of all records that this volume has applied since the last call.
   * @param isOwn whether this mount has written a record. `left`: how many come after it
   */
  tell(isOwn: (change: AnnexChange, left: number) => boolean = () => false): void {
    const { inodes } = this.#volume;
    const { position } = inodes;
    if (position.seqnum === this.#position.seqnum) return;
    let left = position.seqnum - this.#position.seqnum;
    for (const change of inodes.changesFrom(this.#position)) {
      if (change.kind === 'replace') this.onReplaced(change.ino);
      left--;
      if (change.kind === 'replace' || !isOwn(change, left)) this.#tell(change);
    }
    this.#position = position;
  }

  #tell(change: AnnexChange): void {
    if (change.kind === 'xattr') return; // the kernel caches none
    if (change.kind === 'attributes' || change.kind === 'times' || change.kind === 'replace') {
      this.#inode(change.ino);
      return;
    }
    this.#name(change.directory, change.name);
    if ('newName' in change) this.#name(change.newDirectory, change.newName);
    if ('ino' in change) this.#attributes(change.ino);
    if ('replaced' in change && change.replaced !== 0) this.#attributes(change.replaced);
  }

  /** Drops pages and attributes. */
  #inode(ino: number): void {
    this.#host.invalidateInode(this.#nodeOf(ino));
  }

  #attributes(ino: number): void {
    this.#host.invalidateInode(this.#nodeOf(ino), -1);
  }

  /** Drops a name, and the listing with it. */
  #name(directory: number, name: string): void {
    const parent = this.#nodeOf(directory);
    this.#host.invalidateEntry(parent, name);
    this.#host.invalidateInode(parent);
  }

  #nodeOf(ino: number): NodeId {
    return this.#newFiles.nodeOf(ino) as NodeId;
  }
}
