import { chmodSync, fstatSync, mkdirSync, openSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { codeOf, DaxError, hasCode } from './errors.js';
import { bindCall, lastErrno, lazy, type NativeFunction } from './load.js';
import { addressOf } from './memory.js';
import { loadU64, storeU64 } from './u64.js';

const F_OFD_GETLK = 36;
const F_OFD_SETLK = 37;
const lockTypes = { shared: 0, exclusive: 1, unlock: 2 } as const;
const FALLOC_FL_KEEP_SIZE = 1;
const FALLOC_FL_PUNCH_HOLE = 2;
const FALLOC_FL_ZERO_RANGE = 16;
const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const F_ADD_SEALS = 1033;
const F_SEAL_SHRINK = 2;
const F_SETSIG = 10;
const F_SETLEASE = 1024;
const F_GETLEASE = 1025;
const F_RDLCK = 0;
const F_UNLCK = 2;
const SIGURG = 23;
const SEEK_END = 2;
const S_IFCHR = 0o020000;
/** Unit of st_blocks. */
const BLOCK_BYTES = 512;

const fcntlAddress = lazy('int fcntl(int fd, int command, intptr_t argument)');
const fcntlInt = lazy('int fcntl(int fd, int command, int argument)');
const fallocateNative = lazy('int fallocate(int fd, int mode, int64_t offset, int64_t length)');
const memfdCreateNative = lazy('int memfd_create(const char *name, unsigned int flags)');
const futimensNative = lazy('int futimens(int fd, intptr_t times)');
const closeNative = lazy('int close(int fd)');
let seekNative: NativeFunction | undefined;
const mknodNative = lazy('int mknod(const char *path, unsigned int mode, uint64_t device)');
const statfsNative = lazy('int fstatfs(int fd, void *buffer)');
const statxNative = lazy(
  'int statx(int directory, const char *path, int flags, unsigned int mask, intptr_t buffer)',
);
const AT_EMPTY_PATH = 0x1000;
const STATX_SIZE_BLOCKS = 0x600;
/** Words of struct statx, the same on every architecture. */
const [STX_SIZE, STX_BLOCKS, STATX_WORDS] = [10, 12, 64];
/** An ArrayBuffer of its own: the garbage collector may move small typed arrays. */
let statxWords: Uint32Array<ArrayBuffer> | undefined;

/** memfd_create(2): memory that has a descriptor but no name. It can be sealed with {@link sealShrink}. */
export function memfdCreate(name: string): number {
  const fd = memfdCreateNative(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0)
    throw new DaxError(codeOf(lastErrno()), `memfd_create ${name} failed`, { syscall: 'memfd_create' });
  try {
    // Opened by Node, which closes it when the thread is terminated.
    return openSync(`/proc/self/fd/${fd}`, 'r+');
  } finally {
    closeNative(fd);
  }
}

/** Forbids shrinking a memfd for good, so that no page of a mapping can vanish (SIGBUS). */
export function sealShrink(fd: number): void {
  if (fcntlInt(fd, F_ADD_SEALS, F_SEAL_SHRINK) !== 0) {
    throw new DaxError(codeOf(lastErrno()), 'the memory file cannot be sealed against shrinking', {
      syscall: 'fcntl',
    });
  }
}

/** Most and least bytes of one fallocate call. A signal makes tmpfs undo the whole call; a small call ends between two signals. */
const PIECE_BYTES = 2 ** 26;
const SMALLEST_PIECE_BYTES = 2 ** 21;

/** Sets the times of a file to now (futimens(2)): whoever may write a file may do that. @throws DaxError EACCES, EROFS */
export function touchFile(fd: number): void {
  if (futimensNative(fd, 0) !== 0)
    throw new DaxError(codeOf(lastErrno()), `the time of descriptor ${fd} cannot be set`, {
      syscall: 'futimens',
    });
}

/**
 * Allocates file space, so that no later store fails for lack of it. What cannot fit is refused at once: the file system would be full for
 * everybody until the call had failed.
 * @throws DaxError ENOSPC, EFBIG, or another error of fallocate(2)
 */
export function fallocate(fd: number, offset: number, length: number): void {
  if (length > PIECE_BYTES) refuseMoreThanFree(fd, length);
  let piece = PIECE_BYTES;
  for (let done = 0; done < length; ) {
    const bytes = Math.min(piece, length - done);
    if (fallocateNative(fd, 0, offset + done, bytes) === 0) done += bytes;
    else if (codeOf(lastErrno()) === 'EINTR') piece = Math.max(SMALLEST_PIECE_BYTES, piece / 2);
    else throw allocationFailure(length);
  }
}

/** Writes all the bytes: at `position`, or at the descriptor's own position. @throws Error the error of write(2) */
export function writeFully(fd: number, bytes: Uint8Array, position?: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(fd, bytes, done, bytes.length - done, position === undefined ? null : position + done);
  }
}

/**
 * The current size of a file in bytes. It is called before every access to a file that is memory, so it must be cheap: it costs
 * a fifth of fs.fstat. It moves the descriptor's position: use it only on descriptors that are read and written at given positions.
 */
export function fileSize(fd: number): number {
  // Bound directly: lazy() would double the cost.
  seekNative ??= bindCall('intptr_t lseek(int fd, intptr_t offset, int whence)');
  const size = seekNative(fd, 0, SEEK_END);
  if (size < 0)
    throw new DaxError(codeOf(lastErrno()), `the size of descriptor ${fd} is not known`, {
      syscall: 'lseek',
    });
  return size;
}

/**
 * Whether a file has fewer blocks than its size takes. Asked of each file that is mapped; node:fs would make an object of dates of the
 * answer. @throws DaxError the error of statx(2)
 */
export function hasHoles(fd: number): boolean {
  statxWords ??= new Uint32Array(new ArrayBuffer(STATX_WORDS * 4));
  if (statxNative(fd, '', AT_EMPTY_PATH, STATX_SIZE_BLOCKS, addressOf(statxWords.buffer)) !== 0)
    throw new DaxError(codeOf(lastErrno()), `statx of descriptor ${fd} failed`, { syscall: 'statx' });
  return loadU64(statxWords, STX_BLOCKS) * BLOCK_BYTES < loadU64(statxWords, STX_SIZE);
}

/** Frees the pages of a range; they read as zeroes afterwards. The file keeps its size. */
export function punchHole(fd: number, offset: number, length: number): void {
  if (fallocateNative(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length) !== 0) {
    throw new DaxError(codeOf(lastErrno()), `punching a hole of ${length} bytes at ${offset} failed`, {
      syscall: 'fallocate',
    });
  }
}

/**
 * Makes a range read as zeroes and keeps its space, in one step of the file system.
 * @returns false where the file system cannot do that (tmpfs, hugetlbfs)
 */
export function zeroRange(fd: number, offset: number, length: number): boolean {
  if (fallocateNative(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, offset, length) === 0) return true;
  const code = codeOf(lastErrno());
  if (code === 'EOPNOTSUPP') return false;
  throw new DaxError(code, `zeroing ${length} bytes at ${offset} failed`, { syscall: 'fallocate' });
}

/** @throws DaxError ENOSPC the file system has less free than so many bytes of a file need beyond what the file has */
export function refuseMoreThanFree(fd: number, length: number): void {
  const { freeBytes } = fileSystemOf(fd);
  if (freeBytes !== undefined && missingBytes(fd, length) > freeBytes)
    throw allocationFailure(length, 'ENOSPC');
}

/** Bytes of space that a range of a file needs at least beyond what the file has. */
export function missingBytes(fd: number, length: number): number {
  return Math.max(0, length - fstatSync(fd).blocks * BLOCK_BYTES);
}

function allocationFailure(length: number, code = codeOf(lastErrno())): DaxError {
  const reasons: Partial<Record<string, string>> = {
    ENOSPC: 'no space left there: free some, or choose a smaller size',
    EFBIG: 'more than a file may have there: choose a smaller size',
  };
  const why = reasons[code] ?? 'the file system refused';
  return new DaxError(code, `allocating ${length} bytes failed: ${why}`, { syscall: 'fallocate' });
}

/**
 * Makes a directory and its missing parents. Directories that exist already are kept. (Node 20's own recursive mkdir
 * never returns where a parent cannot hold directories, as in /proc.)
 * @throws Error the error of mkdir(2)
 */
export function makeDirectories(path: string, mode = 0o777): void {
  try {
    makeDirectory(path, mode);
  } catch (error) {
    const parent = dirname(path);
    if (!hasCode(error, 'ENOENT') || parent === path) throw error;
    makeDirectories(parent, mode);
    makeDirectory(path, mode);
  }
}

/** @returns whether it was not there before */
function makeDirectory(path: string, mode: number): boolean {
  try {
    mkdirSync(path, { mode });
    return true;
  } catch (error) {
    if (!hasCode(error, 'EEXIST') || !statSync(path).isDirectory()) throw error;
    return false;
  }
}

/**
 * Makes a directory with the mode of the one it lies in, whatever the umask, so that what a group shares is shared as a whole. One that
 * exists already is kept. Missing parents are made as makeDirectories() does.
 * @throws Error the error of mkdir(2)
 */
export function makeDirectoryAsAbove(path: string): void {
  const above = dirname(path);
  makeDirectories(above);
  const mode = statSync(above).mode & 0o7777;
  if (makeDirectory(path, mode)) chmodSync(path, mode);
}

/** struct flock. All calls of this thread share one, because every append to a log takes and releases a lock. */
class FlockArgument {
  readonly address: number;
  readonly #words: Uint32Array;

  constructor() {
    // An ArrayBuffer of its own: the garbage collector may move small typed arrays.
    const memory = new ArrayBuffer(64);
    this.#words = new Uint32Array(memory);
    this.address = addressOf(memory);
  }

  /** Fills the struct: l_type @0 and l_whence @2 (16 bits), l_start @8, l_len @16 (64 bits), l_pid @24 (0 for these locks). */
  set(type: number, start: number, length: number): number {
    const words = this.#words;
    words[0] = type;
    storeU64(words, 2, start);
    storeU64(words, 4, length);
    words[6] = 0;
    return this.address;
  }

  get type(): number {
    return this.#words[0]! & 0xffff;
  }

  get start(): number {
    return loadU64(this.#words, 2);
  }

  /** Bytes; 0 means to the end of the file. */
  get length(): number {
    return loadU64(this.#words, 4);
  }
}

let flockArgument: FlockArgument | undefined;

/** A byte range of a file, for locks: start 0 and length 0 mean the whole file. */
export interface LockRange {
  start: number;
  length: number;
}

/**
 * Takes or releases an open-file-description lock on `length` bytes at `start` (0, 0 = whole file).
 * Such a lock belongs to the descriptor. The kernel drops it when the last copy of the descriptor is closed, so a
 * killed process holds no lock. Two descriptors of one process exclude each other as well.
 * Never waits: see waitForLock().
 * @returns false when another descriptor holds a conflicting lock
 */
export function ofdLock(
  fd: number,
  kind: keyof typeof lockTypes,
  { start = 0, length = 0 }: { start?: number; length?: number } = {},
): boolean {
  flockArgument ??= new FlockArgument();
  const address = flockArgument.set(lockTypes[kind], start, length);
  for (;;) {
    if (fcntlAddress(fd, F_OFD_SETLK, address) === 0) return true;
    const code = codeOf(lastErrno());
    if (code === 'EINTR') continue;
    if (code === 'EAGAIN' || code === 'EACCES') return false;
    throw new DaxError(code, `locking descriptor ${fd} (${kind}) failed`, { syscall: 'fcntl' });
  }
}

/**
 * Finds a lock of another descriptor, in any process, that conflicts with a lock of this `kind` on `length` bytes at
 * `start` (default: exclusive).
 * @returns the range of one such lock, or null when there is none
 */
export function ofdLockConflict(
  fd: number,
  { start, length, kind = 'exclusive' }: { start: number; length: number; kind?: 'shared' | 'exclusive' },
): { start: number; length: number } | null {
  flockArgument ??= new FlockArgument();
  const found = flockArgument;
  if (fcntlAddress(fd, F_OFD_GETLK, found.set(lockTypes[kind], start, length)) !== 0) {
    throw new DaxError(codeOf(lastErrno()), `asking for locks of descriptor ${fd} failed`, {
      syscall: 'fcntl',
    });
  }
  if (found.type === lockTypes.unlock) return null;
  return { start: found.start, length: found.length || Number.MAX_SAFE_INTEGER - found.start };
}

/**
 * Takes a read lease: the kernel makes every process that opens the file for writing or truncates it wait until the lease
 * ends, at most `fs.lease-break-time` (45 s by default). Meanwhile a mapping of the file is safe from SIGBUS by truncation.
 * When a process starts to wait, the kernel sends SIGURG, which is ignored by default, and {@link hasReadLease} turns false.
 * @returns false when there is no lease: the file is open for writing, belongs to another user, or its file system has no leases
 */
export function takeReadLease(fd: number): boolean {
  return fcntlInt(fd, F_SETSIG, SIGURG) === 0 && fcntlInt(fd, F_SETLEASE, F_RDLCK) === 0;
}

/** False once a process waits for the lease to end: call {@link endReadLease} soon. */
export function hasReadLease(fd: number): boolean {
  return fcntlInt(fd, F_GETLEASE, 0) === F_RDLCK;
}

export function endReadLease(fd: number): void {
  fcntlInt(fd, F_SETLEASE, F_UNLCK);
}

/** File system magic numbers that decide how memory behaves. */
export const TMPFS_MAGIC = 0x01021994;
export const HUGETLBFS_MAGIC = 0x958458f6;
export const RAMFS_MAGIC = 0x858458f6;

/**
 * fstatfs(2): the file system's magic number, its block size (on hugetlbfs: the huge page size), and the bytes that this user can still
 * have there, where it counts them.
 */
export function fileSystemOf(fd: number): {
  magic: number;
  blockBytes: number;
  freeBytes: number | undefined;
} {
  const buffer = new DataView(new ArrayBuffer(120));
  if (statfsNative(fd, new Uint8Array(buffer.buffer)) !== 0) {
    throw new DaxError(codeOf(lastErrno()), `fstatfs of descriptor ${fd} failed`, { syscall: 'fstatfs' });
  }
  const [magic, blockBytes, blocks, free, available] = [0, 8, 16, 24, 32].map((at) =>
    Number(buffer.getBigInt64(at, true)),
  ) as [number, number, number, number, number];
  const usable = process.geteuid?.() === 0 ? free : available;
  const isCounted = blocks > 0 && magic !== HUGETLBFS_MAGIC;
  return { magic, blockBytes, freeBytes: isCounted ? usable * blockBytes : undefined };
}

/** mknod(2) of a character device; needs CAP_MKNOD. @throws DaxError EPERM, EEXIST, ENOENT, EROFS */
export function makeCharacterNode(
  path: string,
  mode: number,
  { major, minor }: { major: number; minor: number },
): void {
  const device = (minor & 0xff) + (major & 0xfff) * 2 ** 8 + (minor & 0xfff00) * 2 ** 12;
  if (mknodNative(path, S_IFCHR | mode, device) !== 0) {
    throw new DaxError(codeOf(lastErrno()), `making the device node ${path} (${major}:${minor}) failed`, {
      path,
      syscall: 'mknod',
    });
  }
}
