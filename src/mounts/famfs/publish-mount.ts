import fs from 'node:fs';
import { join } from 'node:path';
import { fuseMountAt, resolveMountpoint } from '../../fuse/index.js';
import { asDaxError, checkArguments, DaxError, type ErrnoCode, fail, text } from '../../libc/index.js';
import { FIRST_NEW_NODE } from './new-files.js';

/** How many names an error lists. */
const MOST_NAMED = 10;

/**
 * Publishes all that was made through a mount and is closed, as FamfsMount.publish() does, whatever process serves the mount. The
 * kernel asks that process, so nothing but the directory is needed.
 * @param directory where the famfs is mounted
 * @throws DaxError EINVAL no famfs of udax is mounted there; ENOSPC, EIO and others when something could not be published: the message
 *   names it, and it stays in the mount; ENOTCONN the process that served it is gone
 */
export async function publishMount(directory: string): Promise<void> {
  checkArguments('publishMount', [directory], { directory: text });
  const mount = fuseMountAt(directory);
  if (mount?.type !== 'fuse.udax') {
    fail(
      'EINVAL',
      `no famfs of udax is mounted at ${resolveMountpoint(directory)}: mountFamfsAt() mounts one`,
      {
        path: directory,
      },
    );
  }
  try {
    await synced(mount.mountpoint);
  } catch (error) {
    throw await namedFailure(mount.mountpoint, error);
  }
}

/** fsync(2) of a directory reaches its file system. Not the call that blocks: this process may be the one that serves the mount. */
async function synced(path: string): Promise<void> {
  const handle = await fs.promises.open(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The kernel passes on no more than an error number: so each file in the making is asked why. */
async function namedFailure(mountpoint: string, error: unknown): Promise<unknown> {
  const unpublished: string[] = [];
  let code: ErrnoCode | undefined;
  for await (const path of newFilesBelow(mountpoint)) {
    try {
      await synced(path);
    } catch (why) {
      const known = asDaxError(why, `publishing ${path}`, path);
      if (!(known instanceof DaxError)) return known;
      if (known.code === 'ENOENT') continue;
      code ??= known.code;
      unpublished.push(`${path.slice(mountpoint.length)} (${known.code})`);
    }
  }
  if (code === undefined) return asDaxError(error, `publishing what is in ${mountpoint}`, mountpoint);
  const shown = unpublished.slice(0, MOST_NAMED).join(', ');
  const more = unpublished.length > MOST_NAMED ? ` and ${unpublished.length - MOST_NAMED} more` : '';
  return new DaxError(
    code,
    `${mountpoint}: not published: ${shown}${more}; they stay in the mount: free what is missing, then publish again`,
    { path: mountpoint, cause: error },
  );
}

/** Files with the node of something that was made through this mount. */
async function* newFilesBelow(directory: string): AsyncGenerator<string> {
  for (const name of await fs.promises.readdir(directory)) {
    const path = join(directory, name);
    const stat = await fs.promises.lstat(path).catch(() => null);
    if (stat?.isDirectory()) yield* newFilesBelow(path);
    else if (stat?.isFile() && stat.ino >= FIRST_NEW_NODE) yield path;
  }
}
