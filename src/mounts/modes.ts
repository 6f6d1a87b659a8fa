/** File types and open flags as Linux spells them, for what the file systems here answer. */
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

/** What is left of a file's mode when somebody without privilege writes it, or it gets another owner. */
export function withoutSetIds(mode: number): number {
  const setGroup = (mode & S_IXGRP) !== 0 ? S_ISGID : 0; // without x it once meant mandatory locks, and stays
  return mode & ~(S_ISUID | setGroup);
}

export function opensForWriting(flags: number): boolean {
  return (flags & O_ACCMODE) !== O_RDONLY;
}

export function opensForReading(flags: number): boolean {
  return (flags & O_ACCMODE) !== O_WRONLY;
}
