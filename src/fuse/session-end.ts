import fs from 'node:fs';
import { DaxError, replaceDescriptor } from '../libc/index.js';
import { fuseMountAt } from './mount-table.js';
import { detachMount } from './unmount.js';

/**
 * Ends a connection by closing its device: all requests that wait in the kernel fail (ENOTCONN). The descriptor
 * number stays in use (by /dev/null), so a thread that still uses it cannot reach another file.
 */
export function endDevice(deviceFd: number): void {
  const nowhere = fs.openSync('/dev/null', 'r+');
  try {
    replaceDescriptor(nowhere, deviceFd);
  } finally {
    fs.closeSync(nowhere);
  }
}

/** Detaches the mount of this connection. Another mount on the same directory is left alone. Failures go to stderr. */
export function releaseMount(mountpoint: string, connectionId: number): void {
  try {
    if (fuseMountAt(mountpoint)?.connectionId !== connectionId) return;
    detachMount(mountpoint);
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
