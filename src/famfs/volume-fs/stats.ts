import { constants } from 'node:fs';
import { encodeName } from '../media/path.js';
import type { FileStat } from '../volume/types.js';

const { S_IFDIR, S_IFREG } = constants;
const BLOCK_BYTES = 4096;
/** The unit of st_blocks, bytes. */
const SECTOR_BYTES = 512;
const NANOSECONDS = 1_000_000n;

/** fs.Stats of a file or directory. famfs keeps no times: all four are when the `fs` of the volume was first used. */
export class VolumeStats {
  readonly dev = 0;
  readonly ino: number;
  /** File type and permission bits. */
  readonly mode: number;
  readonly nlink = 1;
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
    this.mode = (stat.isDirectory() ? S_IFDIR : S_IFREG) | stat.mode;
    this.uid = stat.uid;
    this.gid = stat.gid;
    this.size = stat.size;
    this.blocks = Math.ceil(stat.size / SECTOR_BYTES);
    this.atimeMs = timeMs;
    this.mtimeMs = timeMs;
    this.ctimeMs = timeMs;
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
    return false;
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
  return big;
}

/** fs.Dirent. */
export class VolumeDirent {
  readonly name: string | Buffer;
  readonly parentPath: string;
  /** The same as parentPath, under Node's former name. */
  readonly path: string;
  readonly #isDirectory: boolean;

  constructor(name: string, parentPath: string, isDirectory: boolean, asBuffer: boolean) {
    this.name = asBuffer ? Buffer.from(encodeName(name)) : name;
    this.parentPath = parentPath;
    this.path = parentPath;
    this.#isDirectory = isDirectory;
  }

  isFile(): boolean {
    return !this.#isDirectory;
  }
  isDirectory(): boolean {
    return this.#isDirectory;
  }
  isSymbolicLink(): boolean {
    return false;
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
