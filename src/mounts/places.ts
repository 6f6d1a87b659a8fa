import fs from 'node:fs';
import { dirname, join } from 'node:path';
import { fuseMountAt, resolveMountpoint } from '../fuse/index.js';
import { checkArguments, fail, isSameFile, realPlace, text } from '../libc/index.js';

/** The directories of udax in a state directory. Others in it may be mounted on: `udax up` mounts at ROOT/mnt. */
const OWN_DIRECTORIES = ['regions', 'holders', 'volumes', 'mounts'];

/**
 * Refuses a mountpoint that would hide the state directory: the mount's daemon works with that directory, so it would wait for
 * itself. Directories are compared by device and inode, because bind mounts and links give them other names.
 * @throws DaxError EBUSY with the reason; nothing is made or changed then
 */
export function mustNotHideState(mountpoint: string, stateDirectory: string): void {
  checkArguments('mustNotHideState', [mountpoint, stateDirectory], {
    mountpoint: text,
    stateDirectory: text,
  });
  const at = placeOf(mountpoint);
  if (at === null) return;
  if (ancestors(stateDirectory).some((place) => isSameFile(place, at))) {
    refuse(mountpoint, `the state directory ${stateDirectory}`);
  }
  const above = ancestors(mountpoint);
  for (const name of OWN_DIRECTORIES) {
    const own = statOf(join(stateDirectory, name));
    if (own && above.some((place) => isSameFile(place, own)))
      refuse(mountpoint, `${name}/ of the state directory ${stateDirectory}`);
  }
}

/** Refuses a mountpoint that would hide the file or device node behind a device. @throws DaxError EBUSY */
export function mustNotHideMemory(mountpoint: string, memory: string): void {
  const at = placeOf(mountpoint);
  if (at !== null && ancestors(dirname(memory)).some((place) => isSameFile(place, at)))
    refuse(mountpoint, `the memory itself (${memory})`);
}

function refuse(mountpoint: string, what: string): never {
  fail(
    'EBUSY',
    `a mount on ${mountpoint} would hide ${what}, which it needs: mount on a directory of its own (mkdir)`,
    { path: mountpoint },
  );
}

/** Null when the mountpoint does not exist (which is reported later), or is a FUSE mount already (which may be dead or hang). */
function placeOf(mountpoint: string): fs.Stats | null {
  return fuseMountAt(mountpoint) === null ? (statOf(resolveMountpoint(mountpoint)) ?? null) : null;
}

/** A directory and all its parents, as far as they exist. */
function ancestors(directory: string): fs.Stats[] {
  const found: fs.Stats[] = [];
  for (let at = realPlace(directory); ; at = dirname(at)) {
    const place = statOf(at);
    if (place) found.push(place);
    if (at === dirname(at)) return found;
  }
}

function statOf(path: string): fs.Stats | undefined {
  try {
    return fs.statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined; // this process may not see it, so it does not work with it
  }
}
