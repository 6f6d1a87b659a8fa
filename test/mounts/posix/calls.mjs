// System calls that node:fs does not have. Failures throw {code} as node:fs does.
import { constants } from 'node:os';
import koffi from 'koffi';

const libc = koffi.load('libc.so.6');
const names = Object.fromEntries(Object.entries(constants.errno).map(([name, number]) => [number, name]));
names[11] = 'EAGAIN';
names[95] = 'EOPNOTSUPP';

function declare(prototype) {
  const call = libc.func(prototype);
  return (...args) => {
    const result = Number(call(...args));
    if (result >= 0) return result;
    throw Object.assign(new Error(prototype), { code: names[koffi.errno()] });
  };
}

export const mknod = declare('int mknod(const char *path, unsigned int mode, uint64_t dev)');
export const mkfifo = declare('int mkfifo(const char *path, unsigned int mode)');
export const fallocate = declare('int fallocate(int fd, int mode, int64_t offset, int64_t length)');
export const dup = declare('int dup(int fd)');
export const flock = declare('int flock(int fd, int operation)');
export const lseek = declare('int64_t lseek(int fd, int64_t offset, int whence)');
export const setxattr = declare(
  'int setxattr(const char *path, const char *name, const char *value, size_t size, int flags)',
);
export const removexattr = declare('int removexattr(const char *path, const char *name)');
const getxattrCall = declare(
  'int64_t getxattr(const char *path, const char *name, void *value, size_t size)',
);
const listxattrCall = declare('int64_t listxattr(const char *path, void *list, size_t size)');

export function getxattr(path, name) {
  const value = Buffer.alloc(65536);
  return value.toString('latin1', 0, getxattrCall(path, name, value, value.length));
}

export function listxattr(path) {
  const list = Buffer.alloc(65536);
  return list
    .toString('latin1', 0, listxattrCall(path, list, list.length))
    .split('\0')
    .filter(Boolean);
}

export const renameat2 = declare(
  'int renameat2(int a, const char *from, int b, const char *to, unsigned int flags)',
);
const mmapCall = declare(
  'intptr_t mmap(intptr_t at, size_t length, int prot, int flags, int fd, int64_t offset)',
);
const munmap = declare('int munmap(intptr_t at, size_t length)');
const msync = declare('int msync(intptr_t at, size_t length, int flags)');

export const MAP_SHARED = 1;
export const MAP_PRIVATE = 2;
const PROT_READ_WRITE = 3;
const MS_SYNC = 4;

/** Lets `use` have the mapped bytes of a descriptor, to read and to write; then they are synced and unmapped. */
export function mapped(fd, length, flags, use) {
  const address = mmapCall(0, length, PROT_READ_WRITE, flags, fd, 0);
  try {
    use(Buffer.from(koffi.view(address, length)));
    msync(address, length, MS_SYNC);
  } finally {
    munmap(address, length);
  }
}
