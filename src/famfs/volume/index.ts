/**
 * famfs/volume/: files people open, on a dax device.
 *
 * Purpose: mount a famfs (as master or client), add directories and files to it, and give out their bytes as memory.
 * Invariants: nothing is written before all checks of an operation have passed; data comes before the entry that names
 * it, the entry before the index that publishes it; what a view shows is the file's memory, exactly its bytes; a client
 * or read-only volume never stores anything.
 * Names: by a path from the root, which is walked once, or by a name in a directory's number (new-name.ts, volume-inodes.ts); what appends
 * an entry is told the inode that it made.
 * Locks (range-locks.ts): the log header's bytes for one append (microseconds), a new file's extents while it is
 * filled; always in that order. In one process nothing else is needed: between two awaits all is synchronous.
 * Lifetime: device > MountedFamfs (the dax device's holder; shared by the volumes of this process) > Volume > what a VolumeFile gave
 * out (FileViews) > mapping. Closed in reverse; closing an outer one closes what is inside. A VolumeFile has nothing to end until it is
 * mapped; its views keep what it gave out, not the file itself. When the device is disabled the mounted famfs is
 * dead: views are gone before their memory is, calls answer ENXIO.
 * Failure: EROFS, EBADF (closed), ENXIO (device gone), ESTALE (formatted anew underneath), EIO (failed memory), EBUSY (log
 * kept locked), ENOSPC (device or log full), and the names' ENOENT, EEXIST, ENOTDIR, EISDIR, EINVAL, ENAMETOOLONG. A failed
 * operation leaves everything as it was.
 */
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
export type { FileSpans } from './file-spans.js';
export type { GrowingDirectory } from './growing-directory.js';
export type { GrowingFile } from './growing-file.js';
export { mountFamfsOn } from './mount.js';
export type { ComingDirectory, GrowingOptions, NameInDirectory, NewPlace } from './new-name.js';
export type { Publications } from './publications.js';
export type {
  CopyOptions,
  CopyProgress,
  CreateOptions,
  DirectoryEntry,
  FamfsDevice,
  FileStat,
  MapOptions,
  MkdirOptions,
  MountOptions,
  OpenOptions,
  ViewConstructor,
  VolumeStatfs,
  WriteOptions,
} from './types.js';
export type { ReadonlyUint8Array, ReadonlyView, ViewPin } from './views.js';
export { Volume } from './volume.js';
export type { VolumeInodes } from './volume-inodes.js';
export { VolumeWatcher, type WatchEvent, type WatchOptions } from './watch.js';
export type { FileContent } from './writing.js';
