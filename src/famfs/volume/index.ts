/**
 * famfs/volume/: volumes and their files, on a dax device.
 *
 * Purpose: mount a famfs (as master or client), add directories and files to it, and give out their bytes as memory.
 * Invariants: nothing is written before all checks of an operation have passed. The data is stored before the entry that names
 * it, and the entry before the index that publishes it. A view shows the file's memory, exactly its bytes. A read-only volume
 * stores nothing; a client stores at most into existing files, and only with `clientWrites`.
 * Names: a caller names a place by a path from the root, which is walked once, or by a directory's inode number and a name
 * (new-name.ts, volume-inodes.ts). Appending an entry returns the inode that it made.
 * Locks (range-locks.ts): the log header's bytes for one append (microseconds), a new file's extents while it is
 * filled; always in that order. One process needs no other lock, because all code between two awaits is synchronous.
 * Lifetime: device > MountedFamfs (the dax device's holder, shared by the volumes of this process) > Volume > FileViews (the
 * views that a VolumeFile gave out) > mapping. They are closed in reverse; closing an outer one closes the inner ones. A
 * VolumeFile holds no resource until it is mapped. Its views keep the FileViews alive, not the VolumeFile. When the device is
 * disabled, the mounted famfs is dead: views end before their memory does, and calls answer ENXIO.
 * Failure: EROFS, EBADF (closed), ENXIO (device gone), ESTALE (formatted anew underneath), EIO (failed memory), EBUSY (the log
 * stays locked), ENOSPC (device or log full), and for names ENOENT, EEXIST, ENOTDIR, EISDIR, EINVAL, ENAMETOOLONG. A failed
 * operation leaves the volume as it was.
 */
export type { ByteLocks } from './byte-locks.js';
export {
  type DeviceMedia,
  type DeviceMediaOptions,
  type Durability,
  deviceMedia,
  hasFileSystem,
} from './device-media.js';
export type { VolumeEvents } from './events.js';
export { VolumeFile, type WindowOptions } from './file.js';
export type { FileLock } from './file-lock.js';
export { FileMember, type MemberRange } from './file-member.js';
export type { FileSpans } from './file-spans.js';
export type { GrowingDirectory } from './growing-directory.js';
export type { GrowingFile } from './growing-file.js';
export type { HostMap, HostPiece } from './host-map.js';
export type { XattrFlags } from './inode-changes.js';
export { mountFamfsOn } from './mount.js';
export type { RenameFlags } from './name-changes.js';
export type {
  ComingDirectory,
  GrowingOptions,
  KeptName,
  NameInDirectory,
  NameMove,
  NewPlace,
} from './new-name.js';
export type { Publications } from './publications.js';
export type { RewriteChanges, RewriteOptions, RewriteResult } from './rewrite.js';
export { type DeviceRange, VolumeSurvey } from './survey.js';
export type {
  CopyManyOptions,
  CopyOptions,
  CopyProgress,
  CreateOptions,
  DirectoryEntry,
  FamfsDevice,
  FileCopy,
  FileStat,
  MapOptions,
  MkdirOptions,
  MountOptions,
  OpenOptions,
  ViewConstructor,
  VolumeStatfs,
  VolumeUsage,
  WriteOptions,
} from './types.js';
export type { ReadonlyUint8Array, ReadonlyView, ViewPin } from './views.js';
export { Volume } from './volume.js';
export type { TimeLike, VolumeChanges } from './volume-changes.js';
export type { VolumeInodes } from './volume-inodes.js';
export { VolumeWatcher, type WatchEvent, type WatchOptions } from './watch.js';
export type { RemovedName, RenamedName } from './watch-annex.js';
export type { FileContent } from './writing.js';
