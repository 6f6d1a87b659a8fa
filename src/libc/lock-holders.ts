import fs from 'node:fs';
import { basename } from 'node:path';
import { hasCode } from './errors.js';

/**
 * Who holds an open-file-description lock. Such locks name no pid; /proc/PID/fdinfo lists them, by device and inode. Nothing
 * here asks other processes' files themselves (stat): they may be of a FUSE mount that this very thread serves.
 */
export interface LockHolder {
  pid: number;
  command: string;
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

/** `pid 4711 (node server.js), pid 4712 (...)`. */
export function describeLockHolders(holders: readonly LockHolder[]): string {
  return holders.map(({ pid, command }) => `pid ${pid} (${command})`).join(', ');
}

export interface WantedLock {
  kind: 'shared' | 'exclusive';
  /** Bytes; length 0 is to the end. */
  start: number;
  length: number;
}

/**
 * Processes with a lock on the file behind `fd` that conflicts with the wanted one, as far as this user may look into them.
 * Slow (walks /proc): for error messages only, and for `budgetMs` at most.
 */
export function lockHolders(fd: number, wanted: WantedLock, budgetMs: number): LockHolder[] {
  const file = identityInLocks(fd);
  if (file === undefined) return [];
  const deadline = performance.now() + budgetMs;
  const name = nameOf('self', String(fd));
  // The file under its own name first: few links compare equal, and reading one is cheaper than reading its locks.
  const found = holdersAmong((pid, number) => nameOf(pid, number) === name, file, wanted, fd, deadline);
  return found.length > 0 ? found : holdersAmong(() => true, file, wanted, fd, deadline);
}

function holdersAmong(
  isCandidate: (pid: number, fd: string) => boolean,
  file: string,
  wanted: WantedLock,
  ownFd: number,
  deadline: number,
): LockHolder[] {
  const holders: LockHolder[] = [];
  for (const entry of fs.readdirSync('/proc').reverse()) {
    if (performance.now() > deadline) break;
    if (!/^\d+$/.test(entry)) continue;
    const pid = Number(entry);
    const hasIt = fdsOf(pid).some(
      (fd) =>
        !(pid === process.pid && fd === String(ownFd)) &&
        isCandidate(pid, fd) &&
        locksOf(pid, fd).some((lock) => lock.file === file && conflicts(lock, wanted)),
    );
    if (hasIt) holders.push({ pid, command: commandOf(pid) });
  }
  return holders;
}

interface HeldLock {
  file: string;
  isExclusive: boolean;
  start: number;
  /** Inclusive. */
  end: number;
}

/** `lock:	1: OFDLCK ADVISORY  WRITE -1 fe:00:2146339 4096 8191`; the last is EOF for "to the end". */
const LOCK_LINE = /^lock:.* (OFDLCK|POSIX) .*(READ|WRITE) +-?\d+ ([0-9a-f]+:[0-9a-f]+:\d+) (\d+) (\d+|EOF)$/;

function locksOf(pid: number, fd: string): HeldLock[] {
  const info = unlessGone(() => fs.readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1')) ?? '';
  return info.split('\n').flatMap((line) => {
    const match = LOCK_LINE.exec(line);
    if (!match) return [];
    const [, , type, file, start, end] = match;
    return [
      {
        file: file!,
        isExclusive: type === 'WRITE',
        start: Number(start),
        end: end === 'EOF' ? Number.POSITIVE_INFINITY : Number(end),
      },
    ];
  });
}

function conflicts(lock: HeldLock, wanted: WantedLock): boolean {
  if (!lock.isExclusive && wanted.kind === 'shared') return false;
  const end = wanted.length === 0 ? Number.POSITIVE_INFINITY : wanted.start + wanted.length;
  return lock.start < end && wanted.start <= lock.end;
}

/** A file as lock lines name it: device of its file system and inode. Undefined where the kernel is too old to tell. */
function identityInLocks(fd: number): string | undefined {
  const info = unlessGone(() => fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1')) ?? '';
  const mount = /^mnt_id:\s*(\d+)$/m.exec(info)?.[1];
  const inode = /^ino:\s*(\d+)$/m.exec(info)?.[1];
  if (mount === undefined || inode === undefined) return undefined;
  // The device of stat(2) is another one on some file systems (overlay, btrfs).
  const mounts = unlessGone(() => fs.readFileSync('/proc/self/mountinfo', 'latin1')) ?? '';
  const numbers = new RegExp(`^${mount} \\d+ (\\d+):(\\d+) `, 'm').exec(mounts);
  if (!numbers) return undefined;
  const [major, minor] = [numbers[1]!, numbers[2]!].map((number) =>
    Number(number).toString(16).padStart(2, '0'),
  );
  return `${major}:${minor}:${inode}`;
}

function nameOf(pid: number | 'self', fd: string): string {
  return basename(unlessGone(() => fs.readlinkSync(`/proc/${pid}/fd/${fd}`)) ?? '');
}

function fdsOf(pid: number): string[] {
  return unlessGone(() => fs.readdirSync(`/proc/${pid}/fd`)) ?? [];
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
