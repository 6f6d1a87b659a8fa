import { constants } from 'node:os';
import { addressLedger } from './address-ledger.js';
import { codeOf, DaxError } from './errors.js';
import { lastErrno, lazy, lazyLater, native } from './load.js';

export const PROT_NONE = 0;
export const PROT_READ = 1;
export const PROT_WRITE = 2;
export const MAP_SHARED = 0x01;
export const MAP_PRIVATE = 0x02;
export const MAP_FIXED = 0x10;
export const MAP_ANONYMOUS = 0x20;
export const MAP_NORESERVE = 0x4000;
const MADV_POPULATE_READ = 22;
const MADV_POPULATE_WRITE = 23;
const MADV_COLLAPSE = 25;
export const MS_SYNC = 4;

/** The most bytes of one view. V8 aborts the process on a larger external buffer. */
export const MAX_VIEW_BYTES = 2 ** 32;

const mmapNative = lazy(
  'intptr_t mmap(intptr_t addr, size_t length, int prot, int flags, int fd, int64_t offset)',
);
const munmapNative = lazy('int munmap(intptr_t addr, size_t length)');
const madviseNative = lazy('int madvise(intptr_t addr, size_t length, int advice)');
const munmapNativeLater = lazyLater('int munmap(intptr_t addr, size_t length)');
const madviseNativeLater = lazyLater('int madvise(intptr_t addr, size_t length, int advice)');
const msyncNative = lazy('int msync(intptr_t addr, size_t length, int flags)');
const mprotectNative = lazy('int mprotect(intptr_t addr, size_t length, int prot)');
const memsetNative = lazy('intptr_t memset(intptr_t to, int byte, size_t bytes)');
const memcpyNative = lazy('intptr_t memcpy(intptr_t to, intptr_t from, size_t bytes)');

function failed(syscall: string, what: string, errno = lastErrno()): DaxError {
  const code = codeOf(errno);
  return new DaxError(code, `${syscall} ${what}: ${reasonOf(code)}`, { syscall });
}

function reasonOf(code: string): string {
  const reasons: Record<string, string> = {
    EACCES: 'permission denied (opened for another access?)',
    EAGAIN: 'would block, or locked memory limit reached',
    EBADF: 'bad file descriptor',
    EFAULT: 'memory there is not backed',
    EINVAL: 'invalid address, length or offset',
    ENODEV: 'this file cannot be mapped',
    ENOMEM: 'out of memory or mappings',
    EPERM: 'operation not permitted',
  };
  return reasons[code] ?? (code in constants.errno ? code : 'unknown error');
}

/**
 * mmap(2). Returns the address. With `address` 0 the kernel chooses. Such a span stays in the address ledger until munmap()
 * of the same address, so that another thread can unmap it when this one is terminated.
 */
export function mmap(
  address: number,
  length: number,
  prot: number,
  flags: number,
  fd: number,
  offset: number,
): number {
  const row = address === 0 ? addressLedger.claim() : 0;
  const at = mmapNative(address, length, prot, flags, fd, offset);
  if (at === -1) {
    const error = failed('mmap', `of ${length} bytes at offset ${offset}`);
    addressLedger.abandon(row);
    throw error;
  }
  addressLedger.fill(row, at, length);
  return at;
}

/**
 * Reserves addresses (PROT_NONE) that MAP_FIXED will fill. They start `phase` bytes after a multiple of `align`. One
 * munmap() frees them all.
 */
export function reserveAddresses(bytes: number, align: number, phase: number): number {
  const row = addressLedger.claim();
  const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  const taken = mmapNative(0, bytes + align, PROT_NONE, flags, -1, 0);
  if (taken === -1) {
    const error = failed('mmap', `of ${bytes} bytes of addresses`);
    addressLedger.abandon(row);
    throw error;
  }
  const before = (((phase - taken) % align) + align) % align;
  const at = taken + before;
  addressLedger.fill(row, at, bytes);
  if (before > 0) munmapNative(taken, before);
  if (align > before) munmapNative(at + bytes, align - before);
  return at;
}

/**
 * Maps private zero pages over mapped addresses: the mapping that was there is gone. Loads read zeroes; stores get private
 * memory. Where the system does not overcommit memory, the zero pages are read-only.
 */
export function coverWithZeroes(address: number, length: number): void {
  const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
  if (mmapNative(address, length, PROT_READ | PROT_WRITE, flags, -1, 0) === address) return;
  if (mmapNative(address, length, PROT_READ, flags, -1, 0) === address) return;
  throw failed('mmap', `of zeroes over ${length} bytes`);
}

/** munmap(2). */
export function munmap(address: number, length: number): void {
  addressLedger.giveUp(address);
  if (munmapNative(address, length) !== 0) throw failed('munmap', `of ${length} bytes`);
}

/** munmap(2) on another thread: millions of small pages take a while. The addresses are not this thread's any more when it returns. */
export async function munmapLater(address: number, length: number): Promise<void> {
  addressLedger.giveUp(address);
  const { result, errno } = await munmapNativeLater(address, length);
  if (result !== 0) throw failed('munmap', `of ${length} bytes`, errno);
}

/** madvise(2). EFAULT from MADV_POPULATE_* means a page there has no backing (would be SIGBUS). */
export function madvise(address: number, length: number, advice: number): void {
  if (madviseNative(address, length, advice) !== 0)
    throw failed('madvise', `of ${length} bytes (advice ${advice})`);
}

/** Faults in all pages of a range; `address` may be unaligned. @throws DaxError EFAULT a page has no backing; EINVAL before Linux 5.14 */
export function populatePages(address: number, length: number): void {
  const lead = address % 4096;
  madvise(address - lead, lead + length, MADV_POPULATE_READ);
}

/**
 * As populatePages(), on another thread. The range may be unmapped meanwhile by nobody.
 * @returns false where populatePages() throws
 */
export async function populatePagesLater(address: number, length: number): Promise<boolean> {
  const { result } = await madviseNativeLater(address, length, MADV_POPULATE_READ);
  return result === 0;
}

/** Faults in pages of a range as stores would. @throws DaxError EFAULT no memory for a page, EINVAL before Linux 5.14 */
export function populateForStores(address: number, length: number): void {
  madvise(address, length, MADV_POPULATE_WRITE);
}

/**
 * Puts the pages of a range of huge pages together, each range of which has a page at least.
 * @throws DaxError EINVAL before Linux 6.1, or no memory that can be huge; ENOMEM, EAGAIN, EBUSY not now
 */
export function collapsePages(address: number, length: number): void {
  madvise(address, length, MADV_COLLAPSE);
}

/** msync(2) with MS_SYNC. */
export function msync(address: number, length: number): void {
  if (msyncNative(address, length, MS_SYNC) !== 0) throw failed('msync', `of ${length} bytes`);
}

/** mprotect(2). */
export function mprotect(address: number, length: number, prot: number): void {
  if (mprotectNative(address, length, prot) !== 0) throw failed('mprotect', `of ${length} bytes`);
}

/** C memcpy between two addresses: where no JS view exists, and as the yardstick of benchmarks. */
export function memcpy(to: number, from: number, bytes: number): void {
  memcpyNative(to, from, bytes);
}

/** C memset to zero: for memory without a JS view. */
export function zeroMemory(address: number, bytes: number): void {
  memsetNative(address, 0, bytes);
}

/** The address of the first byte of a buffer or view. */
export function addressOf(bytes: ArrayBufferView | ArrayBuffer): number {
  return Number(native().koffi.address(bytes));
}

/**
 * An ArrayBuffer over the memory at `address`. The memory must stay mapped until the buffer is detached: only memory/ may
 * call this, because only memory/ guarantees that.
 * @throws DaxError ERANGE above 4 GiB (V8 would abort the process)
 */
export function viewMemory(address: number, length: number): ArrayBuffer {
  if (!Number.isSafeInteger(length) || length <= 0 || length > MAX_VIEW_BYTES) {
    throw new DaxError('ERANGE', `a view of ${length} bytes is not possible: 1 byte to 4 GiB`);
  }
  return native().koffi.view(address, length) as ArrayBuffer;
}
