import fs from 'node:fs';
import { DaxError, replaceDescriptor } from '../libc/index.js';
import { fuseMountAt } from './mount-table.js';
import { detachMount } from './unmount.js';

/**
 * Ends a connection by letting go of its device: all that waits in the kernel fails (ENOTCONN). The descriptor
 * number stays taken (by /dev/null), so that a thread that still uses it meets nothing else.
 */
export function endDevice(deviceFd: number): void {
  const nowhere = fs.openSync('/dev/null', 'r+');
  try {
    replaceDescriptor(nowhere, deviceFd);
  } finally {
    fs.closeSync(nowhere);
  }
}

/** Detaches a mount if it is still ours (this connection's): somebody else's on the same directory stays. */
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
 * Runs an action when the process exits while a session lives: a worker blocked in its loop would keep the process
 * from ending, so it has to be woken then. Not run on a deadly signal: handle SIGTERM and unmount.
 * @returns takes it back
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
