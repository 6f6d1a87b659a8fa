import fs from 'node:fs';
import path from 'node:path';
import { asDaxError, hasCode } from '../libc/index.js';

/** How many symbolic links in a row are followed, as in the kernel. */
const MAX_LINKS = 40;

/** One FUSE mount in the mount namespace of this process. */
export interface FuseMount {
  readonly mountpoint: string;
  readonly source: string;
  /** `fuse` or `fuse.SUBTYPE`. */
  readonly type: string;
  /** The minor of its st_dev, and its name under /sys/fs/fuse/connections. */
  readonly connectionId: number;
  /** `major:minor` of the file system. All its mounts share it. */
  readonly device: string;
  readonly readOnly: boolean;
  /** Per-mount and per-file-system options. */
  readonly options: readonly string[];
}

/** All FUSE mounts, in mount order. Of several on one directory, the last is the visible one. */
export function listFuseMounts(mountInfoPath = '/proc/self/mountinfo'): FuseMount[] {
  let text: string;
  try {
    text = fs.readFileSync(mountInfoPath, 'utf8');
  } catch (error) {
    throw asDaxError(error, 'looking at what is mounted', mountInfoPath);
  }
  return parseMountInfo(text).filter((mount) => /^fuse(\.|$)/.test(mount.type));
}

/** The FUSE mount on a directory, or null. It does not touch the mount itself, so it cannot hang on it. */
export function fuseMountAt(mountpoint: string): FuseMount | null {
  const wanted = resolveMountpoint(mountpoint);
  return listFuseMounts().findLast((mount) => mount.mountpoint === wanted) ?? null;
}

/**
 * The absolute path of a mountpoint, links resolved. It does not access the mount there, which may be dead or hung.
 * @throws DaxError EACCES, EIO, EMFILE when a link cannot be read: the table of mounts has no path with a link in it
 */
export function resolveMountpoint(mountpoint: string): string {
  let absolute = path.resolve(mountpoint);
  for (let links = 0; links < MAX_LINKS && absolute !== '/'; links += 1) {
    const parent = realParent(absolute);
    if (parent === null) return absolute;
    const here = path.join(parent, path.basename(absolute));
    const target = linkTarget(here);
    if (target === null) return here;
    absolute = path.resolve(parent, target);
  }
  return absolute;
}

/** The real path of the parent directory. Null when there is none, or a dead mount lies on the way; the caller's next step then fails and says why. */
function realParent(absolute: string): string | null {
  try {
    return fs.realpathSync(path.dirname(absolute));
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'ENOTCONN')) return null;
    throw asDaxError(error, `resolving ${absolute}`, absolute);
  }
}

/** The target of a symbolic link; null for any other file. readlink(2) does not access a mount at the path; stat(2) would. */
function linkTarget(file: string): string | null {
  try {
    return fs.readlinkSync(file);
  } catch (error) {
    if (hasCode(error, 'EINVAL', 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ENOTCONN')) return null;
    throw asDaxError(error, `resolving ${file}`, file);
  }
}

/** Requests of a connection that have no answer yet; null where the kernel does not tell (fusectl is not mounted, another user's). */
export function waitingRequests(connectionId: number): number | null {
  try {
    return Number(fs.readFileSync(`/sys/fs/fuse/connections/${connectionId}/waiting`, 'latin1'));
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'EACCES', 'ENOTDIR')) return null;
    throw error;
  }
}

/** The device (`major:minor`) of the mount with this id in the text of a mountinfo, or null. */
export function deviceOfMount(mountInfo: string, id: number): string | null {
  return new RegExp(`^${id} \\d+ (\\d+:\\d+) `, 'm').exec(mountInfo)?.[1] ?? null;
}

/** Parses mountinfo (proc(5)): id parent maj:min root mountpoint options [fields...] - type source superblock-options. */
export function parseMountInfo(text: string): FuseMount[] {
  const mounts: FuseMount[] = [];
  for (const line of text.split('\n')) {
    const [left, right] = line.split(' - ');
    if (left === undefined || right === undefined) continue;
    const [, , device = '', , mountpoint = '', perMount = ''] = left.split(' ');
    const [type = '', source = '', perFileSystem = ''] = right.split(' ');
    const [major, minor] = device.split(':').map(Number);
    const options = [...perMount.split(','), ...perFileSystem.split(',')];
    mounts.push({
      mountpoint: unescapeOctal(mountpoint),
      source: unescapeOctal(source),
      type,
      device,
      connectionId: (major ?? 0) * 2 ** 20 + (minor ?? 0),
      readOnly: options.includes('ro'),
      options,
    });
  }
  return mounts;
}

function unescapeOctal(field: string): string {
  return field.replace(/(?:\\[0-7]{3})+/g, (run) =>
    Buffer.from(
      run
        .split('\\')
        .slice(1)
        .map((octal) => Number.parseInt(octal, 8)),
    ).toString('utf8'),
  );
}
