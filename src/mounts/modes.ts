/** File types and open flags of Linux, for the answers of the file systems here. */
const S_IFMT = 0o170000;
export const S_IFREG = 0o100000;
export const S_IFDIR = 0o040000;
export const S_IFLNK = 0o120000;
const S_ISUID = 0o4000;
export const S_ISGID = 0o2000;
const S_IXGRP = 0o010;
export const PERMISSION_BITS = 0o7777;

const O_ACCMODE = 3;
const O_RDONLY = 0;
const O_WRONLY = 1;

/** The mode of a file after an unprivileged user has written it or its owner was changed: without set-id bits. */
export function withoutSetIds(mode: number): number {
  const setGroup = (mode & S_IXGRP) !== 0 ? S_ISGID : 0; // without group x the bit meant mandatory locking, so it stays
  return mode & ~(S_ISUID | setGroup);
}

/** Whether mknod(2) with this mode makes a regular file. */
export function isRegular(mode: number): boolean {
  const type = mode & S_IFMT;
  return type === S_IFREG || type === 0;
}

export function opensForWriting(flags: number): boolean {
  return (flags & O_ACCMODE) !== O_RDONLY;
}

export function opensForReading(flags: number): boolean {
  return (flags & O_ACCMODE) !== O_WRONLY;
}
