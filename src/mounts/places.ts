import fs from 'node:fs';
import { dirname, join } from 'node:path';
import { fuseMountAt, resolveMountpoint } from '../fuse/index.js';
import { checkArguments, fail, isSameFile, realPlace, text } from '../libc/index.js';

/** What a state directory has of its own; other things in it (`udax up` mounts at ROOT/mnt) may be mounted on. */
const OWN_DIRECTORIES = ['regions', 'holders', 'volumes', 'mounts'];

/**
 * A mount that hides what its own daemon works with would have the daemon wait for itself. Directories are told by device and
 * inode, since bind mounts and links give them other names.
 * @throws DaxError EBUSY with the reason; nothing was made or changed
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

/** As above, for the memory behind a device. @throws DaxError EBUSY */
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

/** Null: it is not there, which is told later; or a mount lies on it, which may be dead or hang. */
function placeOf(mountpoint: string): fs.Stats | null {
  return fuseMountAt(mountpoint) === null ? (statOf(resolveMountpoint(mountpoint)) ?? null) : null;
}

/** A directory and all it is in, as far as they are there. */
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
    return undefined; // not ours to see: then it is not what we work with
  }
}
