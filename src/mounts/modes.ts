/** File types and open flags as Linux spells them, for what the file systems here answer. */
export const S_IFREG = 0o100000;
export const S_IFDIR = 0o040000;
export const S_IFLNK = 0o120000;
export const S_ISGID = 0o2000;
export const PERMISSION_BITS = 0o7777;

const O_ACCMODE = 3;
const O_RDONLY = 0;
const O_WRONLY = 1;

export function opensForWriting(flags: number): boolean {
  return (flags & O_ACCMODE) !== O_RDONLY;
}

export function opensForReading(flags: number): boolean {
  return (flags & O_ACCMODE) !== O_WRONLY;
}
