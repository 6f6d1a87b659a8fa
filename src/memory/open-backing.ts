import fs from 'node:fs';
import {
  asDaxError,
  canPersistMemory,
  closeDescriptor,
  fail,
  fileSystemOf,
  HUGETLBFS_MAGIC,
  hasCode,
  makeOwnFile,
  memfdCreate,
  RAMFS_MAGIC,
  sealShrink,
  TMPFS_MAGIC,
} from '../libc/index.js';
import type { Backing } from './backing.js';
import { errorAbout, PAGE_BYTES } from './backing-range.js';
import { DaxBacking, deviceNumbers, readDaxNode } from './dax-backing.js';
import { FileBacking, type FileFacts, writeZeroes } from './file-backing.js';
import { allocateMemory } from './huge-pages.js';

export interface OpenBackingOptions {
  /** Default true. False: no mapping made through this backing can change it. 'if-allowed': writable where the file permits it. */
  writable?: boolean | 'if-allowed';
  /**
   * Default true. False: the memory is shared with hosts whose caches are not coherent with this host's. It is flushed
   * and invalidated through libpmem (EOPNOTSUPP where that is not installed).
   */
  coherent?: boolean;
  /** Refuses a symbolic link, for places where others could put one. Default: false. */
  noFollow?: boolean;
  /** Where sysfs is mounted; default /sys. Tests give a recorded tree. */
  sysfs?: string;
}

/**
 * Opens memory by path: a regular file (on a disk, tmpfs or hugetlbfs) or a `/dev/daxX.Y` device.
 * Mirrors open(2) with O_CLOEXEC.
 * @throws DaxError ENOENT, EACCES, EROFS as open(2); EISDIR a directory; ENODEV another kind of file (a pipe, a block
 * device, a device that is not dax); EINVAL an empty file, or a size that is no multiple of its huge pages; EFBIG a size
 * that is no safe integer; EOPNOTSUPP not coherent and no libpmem; EIO a sysfs attribute cannot be read
 */
export function openBacking(path: string, options: OpenBackingOptions = {}): Backing {
  const { writable: wanted = true, noFollow = false } = options;
  refuseOtherKinds(path, statOf(path, noFollow));
  const { fd, writable } = openDescriptor(path, wanted, noFollow);
  try {
    // Checked again on the open descriptor: the name may mean another file by now.
    const stat = fs.fstatSync(fd);
    refuseOtherKinds(path, stat);
    const { coherent = true, sysfs = '/sys' } = options;
    if (!coherent) assertCacheCalls(path);
    if (!stat.isCharacterDevice()) return new FileBacking({ ...fileFacts(path, fd, writable), coherent });
    const node = readDaxNode(path, stat.rdev, sysfs);
    return new DaxBacking({ name: path, fd, rdev: stat.rdev, node, writable, coherent, sysfs });
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
}

/**
 * Makes a new file of `size` zero bytes and opens it. All its space is allocated (or written, where the file system cannot
 * allocate), so that no store can ever meet a full disk. `sparse` skips that: for huge files of which little is used. A full
 * disk is then a crash at a later store.
 * @param options mode: the file's mode, whatever the umask; default 0600, since its content may be private
 * @throws DaxError EEXIST, ENOENT, EACCES, EINVAL size; ENOSPC no room. On any error no file is left.
 */
export function createBacking(
  path: string,
  size: number,
  options: { sparse?: boolean; mode?: number } = {},
): Backing {
  checkSize(path, size);
  const fd = makeOwnFile(path, options.mode ?? 0o600);
  try {
    fillNewFile(path, fd, size, options.sparse ?? false);
    return new FileBacking(fileFacts(path, fd, true));
  } catch (error) {
    closeDescriptor(fd);
    fs.unlinkSync(path);
    throw errorAbout(error, `${path} cannot have ${size} bytes`, path);
  }
}

/**
 * Makes memory without a name (memfd). It is freed with its last user, and sealed so that nobody can shrink it under a mapping.
 * @throws DaxError EINVAL size, EMFILE
 */
export function memfdBacking(name: string, size: number): Backing {
  const title = `memfd:${name}`;
  checkSize(title, size);
  const fd = memfdCreate(name);
  try {
    fs.ftruncateSync(fd, size);
    sealShrink(fd);
    return new FileBacking({ ...fileFacts(title, fd, true), kind: 'memfd' });
  } catch (error) {
    closeDescriptor(fd);
    throw errorAbout(error, `${title} cannot have ${size} bytes`, title);
  }
}

/** The identity of the memory at a path, without opening it: equal for two names of one memory. Undefined when there is no file. */
export function memoryIdentity(path: string): string | undefined {
  const stat = fs.statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat && identityOf(stat);
}

function identityOf(stat: fs.BigIntStats): string {
  if (!stat.isCharacterDevice()) return `${stat.dev}:${stat.ino}`;
  const { major, minor } = deviceNumbers(Number(stat.rdev));
  return `rdev:${major}:${minor}`;
}

function assertCacheCalls(path: string): void {
  if (canPersistMemory()) return;
  fail(
    'EOPNOTSUPP',
    `${path} cannot be used without coherent caches: that needs libpmem.so.1 (install libpmem1)`,
    { path },
  );
}

function statOf(path: string, noFollow: boolean): fs.Stats {
  try {
    return noFollow ? fs.lstatSync(path) : fs.statSync(path);
  } catch (error) {
    throw asDaxError(error, `${path} cannot be opened`, path);
  }
}

/** Runs before open(2) as well: opening a pipe waits, and opening a device may have side effects. */
function refuseOtherKinds(path: string, stat: fs.Stats): void {
  if (stat.isFile() || stat.isCharacterDevice()) return;
  const wanted = 'give a file or a /dev/daxX.Y device';
  if (stat.isDirectory()) fail('EISDIR', `${path} is a directory: ${wanted}`, { path });
  if (stat.isSymbolicLink())
    fail('ELOOP', `${path} is a symbolic link, and none is followed there`, { path });
  const kind = stat.isBlockDevice() ? 'a block device' : stat.isFIFO() ? 'a pipe' : 'a socket';
  fail('ENODEV', `${path} is ${kind}, not memory: ${wanted}`, { path });
}

function openDescriptor(
  path: string,
  writable: boolean | 'if-allowed',
  noFollow: boolean,
): { fd: number; writable: boolean } {
  const { O_RDWR, O_RDONLY, O_NONBLOCK, O_NOCTTY, O_NOFOLLOW } = fs.constants;
  const access = (writable ? O_RDWR : O_RDONLY) | (noFollow ? O_NOFOLLOW : 0);
  try {
    const fd = fs.openSync(path, access | O_NONBLOCK | O_NOCTTY);
    return { fd, writable: writable !== false };
  } catch (error) {
    if (writable === 'if-allowed' && hasCode(error, 'EACCES', 'EROFS', 'EPERM'))
      return openDescriptor(path, false, noFollow);
    throw asDaxError(error, `${path} cannot be opened ${writable ? 'for writing' : 'for reading'}`, path);
  }
}

function fileFacts(name: string, fd: number, writable: boolean): FileFacts {
  const stat = fs.fstatSync(fd, { bigint: true });
  const size = Number(stat.size);
  if (size === 0)
    fail('EINVAL', `${name} is empty: give it a size first, with truncate(path, bytes)`, { path: name });
  if (!Number.isSafeInteger(size))
    fail('EFBIG', `${name} claims ${stat.size} bytes, more than can be addressed`, { path: name });
  const { kind, granule } = memoryKindOf(fd);
  if (size % granule !== 0 && kind === 'hugetlbfs') {
    fail('EINVAL', `${name} has ${size} bytes, no multiple of its huge pages of ${granule}`, { path: name });
  }
  return { kind, name, identity: identityOf(stat), fd, size, granule, writable };
}

function memoryKindOf(fd: number): { kind: FileFacts['kind']; granule: number } {
  const { magic, blockBytes } = fileSystemOf(fd);
  if (magic === HUGETLBFS_MAGIC) return { kind: 'hugetlbfs', granule: blockBytes };
  const inMemory = magic === TMPFS_MAGIC || magic === RAMFS_MAGIC;
  return { kind: inMemory ? 'tmpfs' : 'file', granule: PAGE_BYTES };
}

function fillNewFile(path: string, fd: number, size: number, sparse: boolean): void {
  const { kind, granule } = memoryKindOf(fd);
  if (kind === 'hugetlbfs' && size % granule !== 0) {
    fail(
      'EINVAL',
      `${size} bytes are no multiple of the huge pages there, ${granule}: choose a size that is`,
      { path },
    );
  }
  fs.ftruncateSync(fd, size);
  if (sparse) return;
  try {
    allocateMemory(fd, kind, 0, size);
  } catch (error) {
    if (hasCode(error, 'EOPNOTSUPP', 'ENOSYS')) {
      writeZeroes(fd, 0, size);
      return;
    }
    if (kind !== 'hugetlbfs' || !hasCode(error, 'ENOMEM', 'ENOSPC')) throw error;
    const needed = size / granule;
    fail(
      'ENOSPC',
      `there are not ${needed} free huge pages of ${granule} bytes: raise sysctl vm.nr_hugepages`,
      { path },
    );
  }
}

function checkSize(name: string, size: number): void {
  if (Number.isSafeInteger(size) && size > 0) return;
  fail('EINVAL', `${name} cannot have ${size} bytes: choose a whole number of bytes, at least 1`, {
    path: name,
  });
}
