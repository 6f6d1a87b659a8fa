/**
 * Publishes new files and directories under names that the log may not be able to say: longer than a log entry holds, or taken in the
 * log by something that lost that name. Such an object gets an entry in the directory of nameless objects, and a record of the annex
 * gives it its name. A crash between the two leaves an object without a name, whose space a rewrite gives back.
 */
import { fail } from '../../libc/index.js';
import type { AnnexChange } from '../media/annex-record.js';
import type { NewLogEntry } from '../media/entry.js';
import { FAMFS_PATH_FIELD } from '../media/layout.js';
import { encodedLength } from '../media/path.js';
import type { FileTree } from '../media/tree.js';
import type { MountedFamfs } from './mounted.js';

const SYMLINK_MODE = 0o777;

type WithoutPath<T> = T extends unknown ? Omit<T, 'path' | 'flags'> : never;
/** A log entry of a file or directory whose path is still to be chosen. */
export type NewObject = WithoutPath<Extract<NewLogEntry, { path: string }>>;

/** The name of a new object. */
export interface ObjectName {
  readonly directory: number;
  readonly name: string;
  /** The name as reserveName() knows it. */
  readonly keptAs: string;
  /** What has the name now and loses it; 0 or absent: nothing. */
  readonly replaced?: number;
}

/** Where a new object goes. */
interface Placement {
  /** Null: into the directory of nameless objects. */
  readonly logPath: string | null;
  /** Whether a record must give it its name. */
  readonly isBound: boolean;
}

function placementOf(tree: FileTree, directory: number, name: string, replaced: number): Placement {
  const above = tree.basePathOf(directory);
  const logPath = above === '' ? name : `${above}/${name}`;
  // Without an annex the log is all that the caller has looked at.
  const isTaken = tree.annex === null ? replaced !== 0 : tree.baseChild(directory, name) >= 0;
  const isFree = above !== null && encodedLength(logPath) < FAMFS_PATH_FIELD && !isTaken;
  return {
    logPath: isFree ? logPath : null,
    isBound: !isFree || replaced !== 0 || tree.isOfAnnex(directory, name),
  };
}

/**
 * Publishes an object under a name. Within a session; the caller has checked the name.
 * @param beforeEntry called right before the log entry is written, when all else that is needed is there
 * @returns its inode number
 * @throws DaxError ENOSPC log or device full; EBUSY the name is in the making elsewhere
 */
export function publishObject(
  mounted: MountedFamfs,
  { directory, name, keptAs, replaced = 0 }: ObjectName,
  object: NewObject,
  beforeEntry: () => void = () => {},
): number {
  mounted.assertNameIsOurs(keptAs);
  const { logPath, isBound } = placementOf(mounted.tree, directory, name, replaced);
  if (!isBound) {
    mounted.assertLogRoom(1);
    beforeEntry();
    return mounted.append(entryOf(object, logPath!));
  }
  mounted.writer.replayAppended();
  const bind: AnnexChange = { kind: 'bind', ino: 0, directory, name, replaced };
  mounted.annex.prepare([bind], 1 + (logPath === null ? mounted.annex.entriesForObjects : 0));
  const path = logPath ?? objectPath(mounted);
  beforeEntry();
  const ino = mounted.append(entryOf(object, path));
  mounted.annex.append({ ...bind, ino });
  return ino;
}

/** Field by field: a spread of an object costs as much as an attempt to lock the log. */
function entryOf(object: NewObject, path: string): NewLogEntry {
  const { mode, uid, gid } = object;
  if (object.kind === 'mkdir') return { kind: 'mkdir', path, mode, uid, gid };
  return { kind: 'file', path, size: object.size, mode, uid, gid, fmap: object.fmap };
}

/** Makes an empty file. Within a session; the caller has checked the name. @returns its inode number */
export function makeEmpty(
  mounted: MountedFamfs,
  { directory, name, keptAs, replaced = 0 }: ObjectName,
  { mode, uid, gid }: { mode: number; uid: number; gid: number },
): number {
  mounted.assertNameIsOurs(keptAs);
  mounted.annex.write({ kind: 'make', directory, name, target: null, mode, uid, gid, replaced });
  return mounted.tree.child(directory, name);
}

/** Makes a symbolic link. As makeEmpty(). */
export function makeSymlink(
  mounted: MountedFamfs,
  { directory, name, keptAs, replaced = 0 }: ObjectName,
  target: string,
  { uid, gid }: { uid: number; gid: number },
): number {
  mounted.assertNameIsOurs(keptAs);
  mounted.annex.write({ kind: 'make', directory, name, target, mode: SYMLINK_MODE, uid, gid, replaced });
  return mounted.tree.child(directory, name);
}

/** Gives a file that is published other bytes: the object is logged without a name. Within a session. */
export function replaceContent(
  mounted: MountedFamfs,
  ino: number,
  object: NewObject | null,
  beforeEntry: () => void = () => {},
): void {
  const change: AnnexChange = { kind: 'replace', ino, content: 0 };
  if (object === null) {
    mounted.annex.write(change);
    return;
  }
  mounted.annex.prepare([change], 1 + mounted.annex.entriesForObjects);
  const path = objectPath(mounted);
  beforeEntry();
  const content = mounted.append(entryOf(object, path));
  mounted.annex.append({ ...change, content });
}

/** A path of its own in the directory of nameless objects, which is made when it is not there. */
function objectPath(mounted: MountedFamfs): string {
  const objects = mounted.annex.objects();
  const { tree } = mounted;
  const above = tree.basePathOf(objects);
  for (let number = tree.nextIndex; number < tree.nextIndex + tree.log.slots; number++) {
    if (tree.baseChild(objects, String(number)) < 0) return `${above}/${number}`;
  }
  return fail('EEXIST', `${mounted.device.name}: every number in /${above} is taken`);
}
