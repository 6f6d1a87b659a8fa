import { checkMethods, fail } from '../../libc/index.js';
import { fileTime } from './annex-writer.js';
import { copyFilesIn } from './copy-many.js';
import { cloneFile } from './creation.js';
import {
  getXattr,
  listXattrs,
  removeXattr,
  setAttributes,
  setTimes,
  setXattr,
  type XattrFlags,
} from './inode-changes.js';
import type { MountedFamfs } from './mounted.js';
import { linkIn, type RenameFlags, renameIn, rmdirIn, symlinkIn, unlinkIn } from './name-changes.js';
import { ownerOf } from './name-rules.js';
import { find, statOf } from './names.js';
import { placeOfPath } from './new-name.js';
import { removeTree } from './remove-tree.js';
import { putFile, truncateFile } from './truncate.js';
import type { CopyManyOptions, FileCopy, FileStat } from './types.js';
import { changeArguments } from './volume-arguments.js';

/** A time as Node's utimes() takes it: a Date, or milliseconds since 1970. */
export type TimeLike = Date | number;

/** What the changes of names and attributes need of a volume. */
export interface VolumeCore {
  /** The mounted famfs, for a change. @throws DaxError EROFS, and what every call of a closed or stale volume throws */
  forChange(path: string): MountedFamfs;
  /** The same, for reading. */
  forReading(): MountedFamfs;
  /** Notes that this process has published something. */
  changed(path: string): void;
}

/**
 * The calls of a volume that change what is published. The log of famfs only grows, so each is a record of the annex (docs/annex.md),
 * which this host's udax and all others follow; C famfs sees the names of the log. Space of what is removed comes back with rewrite().
 */
export abstract class VolumeChanges {
  readonly #core: VolumeCore;

  /** @internal A Volume is one. */
  constructor(core: (volume: VolumeChanges) => VolumeCore) {
    this.#core = core(this);
  }

  /**
   * Copies many host files, as copyIn() does one, in the order given. Small ones are published by the batch, which makes a tree of
   * them many times faster. Their directories must be there.
   * @throws DaxError as copyIn(), of the first file that fails unless `onFailure` takes it; what was copied before stays. AbortError
   */
  async copyManyIn(
    copies: Iterable<FileCopy> | AsyncIterable<FileCopy>,
    options: CopyManyOptions = {},
  ): Promise<void> {
    const mounted = this.#core.forChange('/');
    const check = () => this.#core.forReading().assertSameFileSystem();
    await copyFilesIn(mounted, copies, options, check).finally(() => this.#core.changed(''));
  }

  /**
   * Removes the name of a file or symbolic link. Who has it open goes on with it.
   * @throws DaxError ENOENT, ENOTDIR, EISDIR; ENOSPC log or device full; EROFS
   */
  unlink(path: string): void {
    this.#change(path, (mounted) => unlinkIn(mounted, placeOfPath(mounted.tree, path)));
  }

  /** Removes an empty directory. @throws DaxError ENOTEMPTY; ENOTDIR; as unlink() */
  rmdir(path: string): void {
    this.#change(path, (mounted) => rmdirIn(mounted, placeOfPath(mounted.tree, path)));
  }

  /**
   * Removes a file, or a directory with all that is in it, one name after another.
   * @param options `recursive`: also a directory with its content. `force`: what is not there is no error
   * @throws DaxError EISDIR, ENOTEMPTY without `recursive`; as unlink()
   */
  rm(path: string, options: { recursive?: boolean; force?: boolean } = {}): void {
    this.#change(path, (mounted) => removeTree(mounted, path, options));
  }

  /**
   * Gives a file or directory another name, as rename(2): a file replaces a file, a directory an empty directory.
   * @param flags `noReplace`: EEXIST when the new name exists. `exchange`: both names change places
   * @throws DaxError EEXIST, ENOTEMPTY, EISDIR, ENOTDIR, EINVAL into itself; EBUSY the name is in the making elsewhere; as unlink()
   */
  rename(from: string, to: string, flags: RenameFlags = {}): void {
    this.#change(from, (mounted) =>
      renameIn(mounted, placeOfPath(mounted.tree, from), placeOfPath(mounted.tree, to), flags),
    );
  }

  /**
   * Makes a symbolic link. Within this API its target starts at the volume's root when it is absolute.
   * @throws DaxError EEXIST; ENOENT empty target, or no directory; ENAMETOOLONG; as unlink()
   */
  symlink(target: string, path: string, options: { uid?: number; gid?: number } = {}): void {
    this.#change(
      path,
      (mounted) => void symlinkIn(mounted, target, placeOfPath(mounted.tree, path), ownerOf(options)),
    );
  }

  /** The target of a symbolic link. @throws DaxError EINVAL it is none; ENOENT, ENOTDIR */
  readlink(path: string): string {
    const { tree } = this.#core.forReading();
    return (
      tree.linkTarget(find(tree, path, false).ino) ?? fail('EINVAL', `${path} is no symbolic link`, { path })
    );
  }

  /** As stat(), but tells of a symbolic link itself. @throws DaxError ENOENT, ENOTDIR */
  lstat(path: string): FileStat {
    const { tree } = this.#core.forReading();
    return statOf(tree, find(tree, path, false));
  }

  /** Gives a file one more name. @throws DaxError EPERM a directory; EEXIST; as unlink() */
  link(existing: string, path: string): void {
    this.#change(path, (mounted) => {
      const { ino } = find(mounted.tree, existing, false);
      linkIn(mounted, ino, placeOfPath(mounted.tree, path));
    });
  }

  /** Sets the permission bits. @throws DaxError EINVAL; as unlink() */
  chmod(path: string, mode: number): void {
    this.#changeInode(path, (mounted, ino) => setAttributes(mounted, ino, { mode }, path));
  }

  /** Sets the owner and the group; -1 leaves one as it is. */
  chown(path: string, uid: number, gid: number): void {
    const change = { ...(uid !== -1 && { uid }), ...(gid !== -1 && { gid }) };
    this.#changeInode(path, (mounted, ino) => setAttributes(mounted, ino, change, path));
  }

  /** Sets the times of the last access and of the last change. @throws DaxError EINVAL no time; as unlink() */
  utimes(path: string, atime: TimeLike, mtime: TimeLike): void {
    const times = { atime: fileTime(milliseconds(atime, path)), mtime: fileTime(milliseconds(mtime, path)) };
    this.#changeInode(path, (mounted, ino) => setTimes(mounted, ino, times));
  }

  /**
   * Gives a file another size: a new object with its first bytes, copied once, and zeroes behind. Who has the file open, or mapped, goes
   * on with the old bytes.
   * @throws DaxError EINVAL; EISDIR; ENOSPC; as unlink()
   */
  truncate(path: string, size: number): void {
    this.#changeInode(path, (mounted, ino) => truncateFile(mounted, ino, size));
  }

  /**
   * Makes a file with these bytes, or gives them to a file that is there, under its number and with its mode: in place of its own, or
   * behind them. Who has that open goes on with the old bytes.
   * @throws DaxError EISDIR; as create() and truncate()
   */
  put(path: string, content: Uint8Array, options: { mode?: number; append?: boolean } = {}): void {
    this.#change(path, (mounted) => putFile(mounted, path, content, options));
  }

  /** The path that a path leads to, with symbolic links followed. @throws DaxError ENOENT, ENOTDIR, ELOOP */
  realpath(path: string): string {
    return `/${find(this.#core.forReading().tree, path).logPath}`;
  }

  /** Sets an attribute of users. @throws DaxError EOPNOTSUPP its name does not start with `user.`; E2BIG; EEXIST, ENODATA; EROFS */
  setxattr(path: string, name: string, value: Uint8Array, flags: XattrFlags = {}): void {
    this.#changeInode(path, (mounted, ino) => setXattr(mounted, ino, name, value, flags));
  }

  /** @throws DaxError ENODATA it is not there; EOPNOTSUPP */
  removexattr(path: string, name: string): void {
    this.#changeInode(path, (mounted, ino) => removeXattr(mounted, ino, name));
  }

  /** The value of an attribute of users. @throws DaxError ENODATA it is not there; EOPNOTSUPP */
  getxattr(path: string, name: string): Uint8Array {
    const { tree } = this.#core.forReading();
    return getXattr(tree, find(tree, path).ino, name);
  }

  /** The names of the attributes of users, sorted. */
  listxattr(path: string): string[] {
    const { tree } = this.#core.forReading();
    return listXattrs(tree, find(tree, path).ino);
  }

  /**
   * Makes a second file over the space of another (mirrors `famfs clone`, a tool for tests). From then on fsck
   * reports the overlap, and a store to one file shows in the other.
   * @throws DaxError EPERM without `force`; EISDIR; as create() for the names
   */
  clone(source: string, destination: string, { force = false }: { force?: boolean } = {}): void {
    cloneFile(this.#core.forChange(destination), source, destination, force);
    this.#core.changed(destination);
  }

  #change(path: string, act: (mounted: MountedFamfs) => void): void {
    const mounted = this.#core.forChange(path);
    // Paths are looked up before the log is locked, in what this host knows by then: so that is all that is published.
    mounted.refresh();
    act(mounted);
    this.#core.changed(path);
  }

  #changeInode(path: string, act: (mounted: MountedFamfs, ino: number) => void): void {
    this.#change(path, (mounted) => act(mounted, find(mounted.tree, path).ino));
  }
}

function milliseconds(time: TimeLike, path: string): number {
  const value = Number(time);
  return Number.isFinite(value) ? value : fail('EINVAL', `${String(time)} is no time for ${path}`, { path });
}

checkMethods({ name: 'Volume', prototype: VolumeChanges.prototype }, changeArguments);
