/**
 * Adds files and directories to a volume. Everything is checked under the log's lock before anything is written, in the order
 * name, log room, space. The data is written before the entry that names it; the entry comes last.
 */
import { fail, throwIfAborted } from '../../libc/index.js';
import type { Stripe } from '../media/stripe.js';
import { lookAfterPublish } from './after-publish.js';
import { readInto } from './copy.js';
import type { CopySource } from './copy-source.js';
import type { MountedFamfs } from './mounted.js';
import { ownerOf, permissions } from './name-rules.js';
import { find, isThere, missingDirectories } from './names.js';
import { type NewName, newName } from './new-name.js';
import { makeEmpty, type NewObject, publishObject } from './publish-name.js';
import type { Reservation } from './space.js';
import type { CopyOptions, CreateOptions, MkdirOptions } from './types.js';

/** A new file up to this size is zeroed while this process holds the log. A larger one would keep other writers waiting. */
const ZERO_IN_SESSION_BYTES = 8 * 2 ** 20;
const DEFAULT_DIRECTORY_MODE = 0o755;
const DEFAULT_FILE_MODE = 0o644;

type FileEntry = Omit<Extract<NewObject, { kind: 'file' }>, 'fmap'>;

/** See Volume.mkdir. */
export function makeDirectories(mounted: MountedFamfs, path: string, options: MkdirOptions): void {
  const mode = permissions(options.mode ?? DEFAULT_DIRECTORY_MODE, path);
  const owner = ownerOf(options);
  mounted.session(() => {
    const { tree } = mounted;
    const missing = options.recursive ? missingDirectories(tree, path) : [path];
    if (missing.length === 0) return;
    newName(tree, missing[0]!);
    mounted.assertLogRoom(missing.length);
    for (const one of missing) {
      const name = newName(tree, one);
      publishObject(mounted, name.place(0), { kind: 'mkdir', mode, ...owner });
    }
  });
}

/** See Volume.create. @returns the file's inode */
export function createFile(mounted: MountedFamfs, path: string, options: CreateOptions): number {
  const { size, zero = true } = options;
  if (!Number.isSafeInteger(size) || size < 0) fail('EINVAL', `${path} cannot have ${size} bytes`, { path });
  refuseDirectoryName(path);
  const mode = permissions(options.mode ?? DEFAULT_FILE_MODE, path);
  const { uid, gid } = ownerOf(options);
  const entry: FileEntry = { kind: 'file', size, mode, uid, gid };
  if (size === 0)
    return mounted.session(() => makeEmpty(mounted, newName(mounted.tree, path).place(0), entry));
  const isQuick = options.fill === undefined && (!zero || size <= ZERO_IN_SESSION_BYTES);
  const make = isQuick ? createInOneSession : createInTwoSessions;
  const ino = make(mounted, path, entry, options);
  lookAfterPublish(mounted);
  return ino;
}

function createInOneSession(
  mounted: MountedFamfs,
  path: string,
  entry: FileEntry,
  options: CreateOptions,
): number {
  return mounted.session(() => {
    const name = newName(mounted.tree, path);
    const reservation = take(mounted, entry.size, options);
    try {
      if (options.zero ?? true) {
        zeroAll(mounted, path, entry.size, reservation);
        mounted.doubtMemory();
      }
      const stored = (options.zero ?? true) ? wholeUnits(mounted, entry.size) : entry.size;
      // The name was found to be free in this very session.
      return appendAs(mounted, name, 0, entry, reservation, stored);
    } finally {
      reservation.end();
    }
  });
}

function createInTwoSessions(
  mounted: MountedFamfs,
  path: string,
  entry: FileEntry,
  options: CreateOptions,
): number {
  const reservation = takeAndKeep(mounted, path, entry.size, options);
  try {
    if (options.fill) fillAll(mounted, path, entry.size, reservation, options.fill);
    else zeroAll(mounted, path, entry.size, reservation);
    const stored = options.fill ? entry.size : wholeUnits(mounted, entry.size);
    return mounted.session(() => appendUnlessTaken(mounted, path, entry, reservation, stored));
  } finally {
    reservation.end();
  }
}

/** As open(2) with O_CREAT: refuses `dir/`, which names a directory. famfs could not delete a file of that name. */
export function refuseDirectoryName(path: string): void {
  if (!path.endsWith('/')) return;
  fail('EISDIR', `${path} ends in /, which names a directory: leave that out to make a file`, { path });
}

/** See Volume.copyIn and writeFile. */
export async function copyFileIn(
  mounted: MountedFamfs,
  open: () => CopySource,
  path: string,
  options: CopyOptions,
  check: () => void,
): Promise<void> {
  throwIfAborted(options.signal);
  refuseDirectoryName(path);
  const source = open();
  try {
    const { size } = source;
    const mode = permissions(options.mode ?? source.mode, path);
    const entry: FileEntry = { kind: 'file', size, mode, ...ownerOf(options) };
    mounted.refresh();
    const { replace = false } = options;
    const existing = isThere(mounted.tree, path) ? existingOfSize(mounted, path, size, replace) : null;
    if (existing !== null) {
      const { dax, fmap } = existing;
      // A full disk under a sparse backing must be an error now, not a signal at the first store.
      dax.ensureMemory();
      await readInto(dax, path, source, options, check);
      mounted.flushData(fmap, size);
      return;
    }
    const { signal } = options;
    if (size === 0) {
      await mounted.sessionLater(() => {
        const name = newName(mounted.tree, path, replace);
        makeEmpty(mounted, name.place(name.assertFree(mounted.tree)), entry);
      }, signal);
      return;
    }
    const reservation = await mounted.sessionLater(() => kept(mounted, path, size, options), signal);
    try {
      const unnamed = mounted.newInode(path, size, reservation.fmap);
      await readInto(unnamed.dax, path, source, options, check);
      await mounted.sessionLater(
        () => appendUnlessTaken(mounted, path, entry, reservation, size, replace),
        signal,
      );
    } finally {
      reservation.end();
    }
  } finally {
    await source.close();
  }
}

/** A new file whose bytes are in this process. */
export interface NewFile {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly stripe?: Stripe;
}

/**
 * Makes small files in their order, up to the first that cannot be made or has the name of one before it. Called within a session.
 * @returns how many were published, and why the next one was not
 */
export function publishFiles(
  mounted: MountedFamfs,
  files: readonly NewFile[],
): { published: number; problem?: unknown } {
  const taken: { file: NewFile; name: NewName; reservation: Reservation }[] = [];
  let stored = 0;
  let published = 0;
  let outcome: { problem?: unknown } = {};
  const attempt = (act: () => void): void => {
    try {
      act();
    } catch (problem) {
      outcome = { problem };
    }
  };
  attempt(() => {
    const paths = new Set<string>();
    for (const file of files) {
      const name = newName(mounted.tree, file.path);
      // The second of a name is for the next call, which finds the first one there.
      if (paths.has(name.logPath)) break;
      paths.add(name.logPath);
      if (taken.length === 0) mounted.assertLogRoom(1);
      taken.push({ file, name, reservation: mounted.space.take(file.bytes.length, file.stripe) });
    }
  });
  attempt(() => {
    const isThere = hasMemoryOfAll(mounted, taken);
    for (const { file, reservation } of taken) {
      if (!isThere) mounted.assertMemory(reservation.fmap);
      mounted.newInode(file.path, file.bytes.length, reservation.fmap).dax.store(file.bytes);
      stored++;
    }
  });
  mounted.doubtMemory();
  attempt(() =>
    mounted.writer.together(() => {
      for (const { file, name, reservation } of taken.slice(0, stored)) {
        const { bytes, mode, uid, gid } = file;
        append(
          mounted,
          name,
          { kind: 'file', size: bytes.length, mode, uid, gid },
          reservation,
          bytes.length,
        );
        published++;
      }
    }),
  );
  for (const { reservation } of taken) reservation.end();
  return { published, ...outcome };
}

/** One question for all of them: is there memory from the first byte that was taken to the last? */
function hasMemoryOfAll(mounted: MountedFamfs, taken: readonly { reservation: Reservation }[]): boolean {
  let [start, end] = [Number.POSITIVE_INFINITY, 0];
  for (const { reservation } of taken) {
    for (const { offset, length } of reservation.fmap.extents) {
      start = Math.min(start, offset);
      end = Math.max(end, offset + length);
    }
  }
  if (end === 0) return true;
  try {
    mounted.assertMemory({ type: 'simple', extents: [{ devindex: 0, offset: start, length: end - start }] });
    return true;
  } catch {
    return false;
  }
}

/** The file to overwrite in place; null when it has another size and is to be replaced. */
function existingOfSize(mounted: MountedFamfs, path: string, size: number, replace: boolean) {
  const { ino, logPath } = find(mounted.tree, path);
  const stat = mounted.tree.stat(ino);
  if (stat.type === 'directory') {
    fail('EISDIR', `/${logPath} is a directory: give the name of the copy in it`, { path });
  }
  if (stat.size !== size && replace) return null;
  if (stat.size !== size) {
    fail(
      'EEXIST',
      `/${logPath} exists with ${stat.size} bytes, the source has ${size}: choose another name, or replace it ({ replace: true })`,
      { path },
    );
  }
  return mounted.inode(ino);
}

type Placing = Pick<CopyOptions, 'stripe' | 'replace'>;

/** Checks log room and takes space for a file, all or nothing. Called within a session. */
function take(mounted: MountedFamfs, size: number, { stripe }: Placing): Reservation {
  mounted.assertLogRoom(1);
  const reservation = mounted.space.take(size, stripe);
  try {
    mounted.assertMemory(reservation.fmap);
    return reservation;
  } catch (error) {
    reservation.end();
    throw error;
  }
}

/** As kept(), in a session of its own. */
function takeAndKeep(mounted: MountedFamfs, path: string, size: number, options: Placing): Reservation {
  return mounted.session(() => kept(mounted, path, size, options));
}

/** Takes space and keeps it after the session, for work that takes longer. Called within a session. */
function kept(mounted: MountedFamfs, path: string, size: number, options: Placing): Reservation {
  newName(mounted.tree, path, options.replace);
  const reservation = take(mounted, size, options);
  try {
    reservation.keep();
    return reservation;
  } catch (error) {
    reservation.end();
    throw error;
  }
}

/** Publishes the file in a later session than its name was first checked in, so it checks the name again. @returns its inode */
function appendUnlessTaken(
  mounted: MountedFamfs,
  path: string,
  entry: FileEntry,
  reservation: Reservation,
  stored: number,
  replace = false,
): number {
  return append(mounted, newName(mounted.tree, path, replace), entry, reservation, stored);
}

/**
 * Publishes the file. Called within a session.
 * @param stored how many bytes from the file's start were stored, and need a flush
 * @returns its inode
 */
function append(
  mounted: MountedFamfs,
  name: NewName,
  entry: FileEntry,
  reservation: Reservation,
  stored: number,
): number {
  return appendAs(mounted, name, name.assertFree(mounted.tree), entry, reservation, stored);
}

/** @param replaced what name.assertFree() has just answered */
function appendAs(
  mounted: MountedFamfs,
  name: NewName,
  replaced: number,
  { size, mode, uid, gid }: FileEntry,
  reservation: Reservation,
  stored: number,
): number {
  const { fmap } = reservation;
  return publishObject(mounted, name.place(replaced), { kind: 'file', size, mode, uid, gid, fmap }, () => {
    mounted.flushData(fmap, stored);
    reservation.handOver();
  });
}

function zeroAll(mounted: MountedFamfs, path: string, size: number, { fmap }: Reservation): void {
  const unnamed = mounted.newInode(path, size, fmap);
  unnamed.dax.zero(0, wholeUnits(mounted, size));
  // Zeroing may have punched holes. Users of the file will store into them, so they need memory.
  unnamed.dax.ensureMemory();
}

function wholeUnits({ superblock: { allocUnit } }: MountedFamfs, size: number): number {
  return Math.ceil(size / allocUnit) * allocUnit;
}

function fillAll(
  mounted: MountedFamfs,
  path: string,
  size: number,
  { fmap }: Reservation,
  fill: (into: Uint8Array, position: number) => void,
): void {
  const { dax } = mounted.newInode(path, size, fmap);
  // A full disk under a sparse backing must be an error now, not a signal at the first store.
  dax.ensureMemory();
  dax.fill(0, size, fill);
  mounted.assertSameFileSystem();
}

/** See Volume.clone. */
export function cloneFile(mounted: MountedFamfs, source: string, destination: string, force: boolean): void {
  if (!force) {
    fail(
      'EPERM',
      `a clone of ${source} would share its space, which fsck reports as damage: copy it, or force it (tests only)`,
      { path: destination },
    );
  }
  mounted.session(() => {
    const { tree } = mounted;
    const { ino, logPath } = find(tree, source);
    if (tree.isDirectory(ino)) {
      fail('EISDIR', `/${logPath} is a directory: only files are cloned`, { path: source });
    }
    const { size, mode, uid, gid } = tree.stat(ino);
    const fmap = tree.fmap(ino);
    const name = newName(tree, destination);
    if (size === 0) fail('EINVAL', `/${logPath} is empty: there is no space to share`, { path: source });
    publishObject(mounted, name.place(0), { kind: 'file', size, mode, uid, gid, fmap });
  });
}
