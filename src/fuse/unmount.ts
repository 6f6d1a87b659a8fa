import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import {
  closeDescriptor,
  DaxError,
  fail,
  isError,
  MNT_DETACH,
  mountFileSystem,
  startProgram,
  UMOUNT_NOFOLLOW,
  unmountInBackground,
  unmountNow,
} from '../libc/index.js';
import { type FuseMount, fuseMountAt, listFuseMounts, resolveMountpoint } from './mount-table.js';
import { runHelper } from './mounting.js';
import type { FuseUnmountOptions } from './session-types.js';

const CONNECTIONS = '/sys/fs/fuse/connections';
const STATE_TIMEOUT_MS = 3000;
const UNMOUNT_TIMEOUT_MS = 10_000;
/** How long a mount must be in use to be called busy. The kernel says so too while a program only looks at a path (df, a scan of all mounts). */
const LOOK_MS = 300;
const LOOK_AGAIN_MS = 15;

export type FuseMountState = 'alive' | 'dead' | 'hung' | 'none';

/**
 * Tells whether a FUSE mount answers: 'alive', 'dead' (its daemon is gone: ENOTCONN), 'hung' (no answer in `timeoutMs`), 'none'.
 * A child process asks, because it can be killed; a thread of this process might wait forever.
 */
export async function fuseMountState(
  mountpoint: string,
  timeoutMs = STATE_TIMEOUT_MS,
): Promise<FuseMountState> {
  const mount = fuseMountAt(mountpoint);
  if (mount === null) return 'none';
  const child = await startProgram('stat', ['-f', '--', mount.mountpoint], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, LC_ALL: 'C' },
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  let message = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    message += chunk.toString();
  });
  return await new Promise((resolve) => {
    child.on('close', (_status, signal) => {
      if (signal !== null) resolve('hung');
      else resolve(/not connected|connection abort/i.test(message) ? 'dead' : 'alive');
    });
  });
}

/**
 * Removes a mount whose daemon is gone from a directory. A mount that is alive or does not answer stays.
 * @returns whether it removed one
 */
export async function clearDeadMount(mountpoint: string): Promise<boolean> {
  let found = false;
  // Several dead mounts may lie on top of each other, each left by another daemon.
  while ((await fuseMountState(mountpoint)) === 'dead') {
    detachMount(mountpoint);
    found = true;
  }
  return found;
}

/**
 * Takes down the FUSE mount on a directory, whichever process serves it: alive, hung or dead. Never hangs.
 * @returns the state that the mount had
 * @throws DaxError EINVAL there is no FUSE mount; EBUSY with `whenBusy: 'fail'`; EPERM it belongs to another user
 */
export async function unmountFuse(
  mountpoint: string,
  options: FuseUnmountOptions = {},
): Promise<'alive' | 'dead' | 'hung'> {
  const mount = fuseMountAt(mountpoint);
  const state = await fuseMountState(mountpoint);
  if (mount === null || state === 'none') {
    fail(
      'EINVAL',
      `there is no FUSE mount on ${mountpoint} (those of udax have type fuse.udax in /proc/mounts)`,
      {
        path: mountpoint,
        syscall: 'umount2',
      },
    );
  }
  if (state === 'alive') {
    const result = await tryUnmount(mountpoint, options);
    if (result === 'done') return state;
    if (options.whenBusy === 'fail') throw busyMount(mountpoint);
  }
  if (state === 'hung' && options.whenBusy === 'fail') throw busyMount(mountpoint);
  // Open the abort file, detach, then abort. A daemon that sees its connection end cleans up, and could be faster than this.
  const control = state === 'dead' ? null : openAbort(mount);
  try {
    detachMount(mountpoint);
    if (control !== null) writeAbort(control);
  } finally {
    if (control !== null) closeDescriptor(control);
  }
  return state;
}

/** The error for a mount that is in use and not taken down. */
export function busyMount(mountpoint: string): DaxError {
  return new DaxError(
    'EBUSY',
    `somebody has a file or directory of ${mountpoint} open: close it (fuser(1) tells who has), or unmount with { whenBusy: 'abort' }`,
    { path: mountpoint, syscall: 'umount2', hint: 'umount-force' },
  );
}

/**
 * Tries a plain unmount; with `whenBusy: 'fail'` until the mount has been in use for a while. Returns 'done', 'busy' or 'timeout'; throws
 * other failures.
 * @param lookMs how long it must have been in use to be busy
 */
export async function tryUnmount(
  mountpoint: string,
  { whenBusy }: FuseUnmountOptions,
  lookMs = LOOK_MS,
): Promise<'done' | 'busy' | 'timeout'> {
  const target = resolveMountpoint(mountpoint);
  const end = performance.now() + (whenBusy === 'fail' ? lookMs : 0);
  let result = await unmountOnce(target, mountpoint);
  while (result === 'busy' && performance.now() < end) {
    await pause(LOOK_AGAIN_MS);
    result = await unmountOnce(target, mountpoint);
  }
  return result;
}

async function unmountOnce(target: string, mountpoint: string): Promise<'done' | 'busy' | 'timeout'> {
  if (process.geteuid?.() !== 0) {
    const { ok, message } = runHelper(['-u', '--', target]);
    if (ok) return 'done';
    if (/busy/i.test(message)) return 'busy';
    throw helperRefusal(message, mountpoint);
  }
  const result = await unmountInBackground(target, UMOUNT_NOFOLLOW, UNMOUNT_TIMEOUT_MS);
  if (result === 'done' || result === 'timeout') return result;
  if (result === 'EBUSY') return 'busy';
  throw new DaxError(result, 'unmounting failed', { path: mountpoint, syscall: 'umount2' });
}

/** Takes the mount out of the tree at once. Programs that use it keep it until its connection ends. */
export function detachMount(mountpoint: string): void {
  const target = resolveMountpoint(mountpoint);
  if (process.geteuid?.() === 0) {
    unmountNow(target, MNT_DETACH | UMOUNT_NOFOLLOW);
    return;
  }
  const { ok, message } = runHelper(['-u', '-z', '--', target]);
  if (!ok) throw helperRefusal(message, mountpoint);
}

function helperRefusal(message: string, mountpoint: string): DaxError {
  return new DaxError('EPERM', message, { path: mountpoint });
}

/**
 * Ends the connection of a mount that another process serves: all waiting requests fail, and the daemon sees its connection end.
 * @returns false when that is not possible (not root, or no fusectl)
 */
export function abortConnection(mount: FuseMount): boolean {
  const control = openAbort(mount);
  if (control === null) return false;
  try {
    return writeAbort(control);
  } finally {
    closeDescriptor(control);
  }
}

/**
 * Opens the file that ends the connection of a mount. The number of a mount that is gone is free, and any new mount may get it. So the
 * mount must still be there after the file was opened; the open file then stays with its connection.
 * @returns null when that is not possible
 */
function openAbort(mount: FuseMount): number | null {
  const control = findAbort(mount);
  if (control === null) return null;
  if (unlessRefused(() => listFuseMounts().some((other) => isSame(other, mount))) === true) return control;
  closeDescriptor(control);
  return null;
}

function isSame(one: FuseMount, other: FuseMount): boolean {
  return one.mountpoint === other.mountpoint && one.connectionId === other.connectionId;
}

function findAbort(mount: FuseMount): number | null {
  const control = openAbortIn(CONNECTIONS, mount.connectionId);
  if (control !== null || process.geteuid?.() !== 0) return control;
  // No fusectl in this kernel or container, no descriptor, no space: detaching must do.
  const directory = unlessRefused(() => fs.mkdtempSync(path.join(os.tmpdir(), 'udax-fusectl-')));
  if (directory === null) return null;
  const mountThere = () => {
    mountFileSystem('fusectl', directory, 'fusectl', 0, '');
    return true;
  };
  const isMounted = unlessRefused(mountThere) ?? false;
  const found = isMounted ? openAbortIn(directory, mount.connectionId) : null;
  giveBack(directory, () => {
    if (isMounted) unmountNow(directory, MNT_DETACH);
    fs.rmdirSync(directory);
  });
  return found;
}

function unlessRefused<T>(act: () => T): T | null {
  try {
    return act();
  } catch (error) {
    if (isError(error) && 'code' in error) return null;
    throw error;
  }
}

/** A directory that cannot be given back is a warning: who unmounts goes on. */
function giveBack(directory: string, act: () => void): void {
  try {
    act();
  } catch (error) {
    process.emitWarning(`${directory} is left: ${(error as Error).message}`, { code: 'UDAX_LEFTOVER' });
  }
}

function openAbortIn(connections: string, id: number): number | null {
  try {
    return fs.openSync(path.join(connections, String(id), 'abort'), fs.constants.O_WRONLY);
  } catch {
    return null; // it does not exist, or this user may not open it: the caller has other ways
  }
}

/** Aborts the connection of an open abort file. @returns false when it has ended already */
function writeAbort(control: number): boolean {
  try {
    return fs.writeSync(control, '1') > 0;
  } catch {
    return false;
  }
}
