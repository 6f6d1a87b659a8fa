import fs from 'node:fs';
import { asDaxError, DaxError, replaceDescriptor } from '../libc/index.js';
import { fuseMountAt } from './mount-table.js';
import { detachMount } from './unmount.js';

/**
 * Opens what endDevice() puts in the place of a device. Call it before the mount is made: taking a mount down must not need a new
 * descriptor, since the process may have none left.
 */
export function openNowhere(): number {
  try {
    return fs.openSync('/dev/null', 'r+');
  } catch (error) {
    throw asDaxError(error, 'opening /dev/null', '/dev/null');
  }
}

/**
 * Ends a connection by closing its device: all requests that wait in the kernel fail (ENOTCONN). The descriptor number stays in use
 * (by /dev/null), so a thread that still uses it cannot reach another file. Where the kernel refuses that (the limit of descriptors
 * was lowered below this number), the device ends when its descriptor is closed.
 */
export function endDevice(deviceFd: number, nowhere: number): void {
  try {
    replaceDescriptor(nowhere, deviceFd);
  } catch (error) {
    if (!(error instanceof DaxError)) throw error;
    process.emitWarning(`the device of a mount stays until it is closed: ${error.message} (${error.code})`, {
      code: 'UDAX_CLOSE',
    });
  }
}

/**
 * Detaches the mount of this connection. Another mount on the same directory is left alone.
 * @throws DaxError when the mount cannot be detached
 */
export function detachOwnMount(mountpoint: string, connectionId: number): void {
  if (fuseMountAt(mountpoint)?.connectionId === connectionId) detachMount(mountpoint);
}

/** The same, with failures written to stderr. */
export function releaseMount(mountpoint: string, connectionId: number): void {
  try {
    detachOwnMount(mountpoint, connectionId);
  } catch (error) {
    if (!(error instanceof DaxError)) throw error;
    process.stderr.write(`udax: ${mountpoint} could not be unmounted: ${error.message} (${error.code})\n`);
  }
}

const atExit = new Set<() => void>();

/**
 * Registers an action for the exit of the process. A worker that is blocked in its loop would keep the process from ending, so a
 * session must wake it then. The action does not run on a deadly signal: programs must handle SIGTERM and unmount.
 * @returns a function that removes the action
 */
export function onProcessExit(action: () => void): () => void {
  if (atExit.size === 0) process.on('exit', runExitActions);
  atExit.add(action);
  return () => {
    atExit.delete(action);
    if (atExit.size === 0) process.off('exit', runExitActions);
  };
}

function runExitActions(): void {
  for (const action of atExit) action();
}
