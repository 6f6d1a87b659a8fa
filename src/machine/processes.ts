import fs from 'node:fs';
import { hasCode } from '../libc/index.js';

/** Start time of a process in clock ticks after boot (field 22 of /proc/PID/stat); 0 when it is gone. */
export function startTimeOf(pid: number | 'self'): number {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The command (field 2) may hold spaces and parentheses: count from the last one.
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH', 'EACCES')) return 0;
    throw error;
  }
}

/** The command line of a process for people, at most 200 characters. */
export function commandOf(pid: number | 'self'): string {
  try {
    const words = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return words.join(' ').trim().slice(0, 200);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH', 'EACCES')) return '?';
    throw error;
  }
}

export interface LockOwner {
  pid: number;
  command: string;
}

/**
 * Processes that hold an open-file-description lock on a file, as far as this user may look into them.
 * Such locks name no pid, but /proc/PID/fdinfo lists them. Slow (walks /proc): for error messages only.
 */
export function lockOwnersOf(fd: number): LockOwner[] {
  const { dev, ino } = fs.fstatSync(fd);
  const owners: LockOwner[] = [];
  for (const name of fs.readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const pid = Number(name);
    if (fdsOf(pid).some((number) => isSameFile(pid, number, dev, ino) && holdsLock(pid, number))) {
      owners.push({ pid, command: commandOf(pid) });
    }
  }
  return owners;
}

function fdsOf(pid: number): string[] {
  return unlessGone(() => fs.readdirSync(`/proc/${pid}/fd`)) ?? [];
}

function isSameFile(pid: number, fd: string, dev: number, ino: number): boolean {
  const stat = unlessGone(() => fs.statSync(`/proc/${pid}/fd/${fd}`));
  return stat !== undefined && stat.dev === dev && stat.ino === ino;
}

function holdsLock(pid: number, fd: string): boolean {
  const info = unlessGone(() => fs.readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1'));
  return info?.includes('OFDLCK') ?? false;
}

/** Processes end, and other users' are closed to us, while we look: both mean "nothing to see". */
function unlessGone<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM')) return undefined;
    throw error;
  }
}
