import { constants } from 'node:fs';
import { encodeName } from '../media/path.js';
import type { FileStat } from '../volume/types.js';

const { S_IFDIR, S_IFLNK, S_IFREG } = constants;
const BLOCK_BYTES = 4096;
/** The unit of st_blocks, bytes. */
const SECTOR_BYTES = 512;
const NANOSECONDS = 1_000_000n;

/** fs.Stats of a file, directory or symbolic link. Times that nobody noted are when the `fs` of the volume was first used. */
export class VolumeStats {
  readonly dev = 0;
  readonly ino: number;
  /** File type and permission bits. */
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev = 0;
  readonly size: number;
  readonly blksize = BLOCK_BYTES;
  readonly blocks: number;
  readonly atimeMs: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly birthtimeMs: number;

  constructor(stat: FileStat, timeMs: number) {
    this.ino = stat.ino;
    this.mode = (stat.isDirectory() ? S_IFDIR : stat.isSymbolicLink() ? S_IFLNK : S_IFREG) | stat.mode;
    this.nlink = stat.nlink;
    this.uid = stat.uid;
    this.gid = stat.gid;
    this.size = stat.size;
    this.blocks = Math.ceil(stat.size / SECTOR_BYTES);
    const { atime, mtime, ctime } = stat.times ?? {};
    this.atimeMs = msOf(atime) ?? timeMs;
    this.mtimeMs = msOf(mtime) ?? timeMs;
    this.ctimeMs = msOf(ctime) ?? timeMs;
    this.birthtimeMs = timeMs;
  }

  get atime(): Date {
    return new Date(this.atimeMs);
  }
  get mtime(): Date {
    return new Date(this.mtimeMs);
  }
  get ctime(): Date {
    return new Date(this.ctimeMs);
  }
  get birthtime(): Date {
    return new Date(this.birthtimeMs);
  }

  isFile(): boolean {
    return (this.mode & constants.S_IFMT) === S_IFREG;
  }
  isDirectory(): boolean {
    return (this.mode & constants.S_IFMT) === S_IFDIR;
  }
  isSymbolicLink(): boolean {
    return (this.mode & constants.S_IFMT) === S_IFLNK;
  }
  isBlockDevice(): boolean {
    return false;
  }
  isCharacterDevice(): boolean {
    return false;
  }
  isFIFO(): boolean {
    return false;
  }
  isSocket(): boolean {
    return false;
  }
}

function msOf(time: { seconds: number; nanoseconds: number } | undefined): number | undefined {
  return time && time.seconds * 1000 + time.nanoseconds / 1e6;
}

/** The stats for `{ bigint: true }`: every number is a bigint, and times are in nanoseconds as well. */
export function bigintStats(stats: VolumeStats): object {
  const big: Record<string, unknown> = Object.create(VolumeStats.prototype);
  const define = (name: string, value: unknown) =>
    Object.defineProperty(big, name, { value, enumerable: true });
  for (const [name, value] of Object.entries(stats)) define(name, BigInt(Math.trunc(value)));
  for (const name of ['atime', 'mtime', 'ctime', 'birthtime'] as const) {
    define(`${name}Ns`, BigInt(Math.trunc(stats[`${name}Ms`])) * NANOSECONDS);
    define(name, stats[name]);
  }
  define('isFile', () => stats.isFile());
  define('isDirectory', () => stats.isDirectory());
  define('isSymbolicLink', () => stats.isSymbolicLink());
  return big;
}

/** fs.Dirent. */
export class VolumeDirent {
  readonly name: string | Buffer;
  readonly parentPath: string;
  /** The same as parentPath, under Node's former name. */
  readonly path: string;
  readonly #type: FileStat['type'];

  constructor(name: string, parentPath: string, type: FileStat['type'], asBuffer: boolean) {
    this.name = asBuffer ? Buffer.from(encodeName(name)) : name;
    this.parentPath = parentPath;
    this.path = parentPath;
    this.#type = type;
  }

  isFile(): boolean {
    return this.#type === 'file';
  }
  isDirectory(): boolean {
    return this.#type === 'directory';
  }
  isSymbolicLink(): boolean {
    return this.#type === 'symlink';
  }
  isBlockDevice(): boolean {
    return false;
  }
  isCharacterDevice(): boolean {
    return false;
  }
  isFIFO(): boolean {
    return false;
  }
  isSocket(): boolean {
    return false;
  }
}
