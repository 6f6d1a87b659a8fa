import fs from 'node:fs';
import { descriptorInfo, descriptorsOf, numbersIn } from './descriptors.js';
import { hasCode } from './errors.js';

/**
 * A process that holds an open-file-description lock. Such locks name no pid, but /proc/PID/fdinfo lists them, by device and
 * inode. A thread that serves a mount may ask too: see descriptors.ts.
 */
export interface LockHolder {
  pid: number;
  command: string;
}

/** The command line of a process for messages, at most 200 characters; `?` when it cannot be read. */
export function commandOf(pid: number | 'self'): string {
  try {
    const words = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return words.join(' ').replace(/\s+/g, ' ').trim().slice(0, 200);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH', 'EACCES')) return '?';
    throw error;
  }
}

/** Start time of a process in clock ticks after boot (field 22 of /proc/PID/stat); 0 when it is gone or not readable. */
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

/** The holders for a message: `pid 4711 (node server.js), pid 4712 (...)`. */
export function describeLockHolders(holders: readonly LockHolder[]): string {
  return holders.map(({ pid, command }) => `pid ${pid} (${command})`).join(', ');
}

export interface WantedLock {
  kind: 'shared' | 'exclusive';
  /** Bytes; length 0 means to the end of the file. */
  start: number;
  length: number;
}

/**
 * Processes with a lock on the file behind `fd` that conflicts with the wanted one, as far as this user may read their /proc
 * entries. Slow, since it walks /proc: for error messages only. It stops after `budgetMs` of the processor's time: on a busy machine
 * that takes longer, and a search that ends early names nobody.
 */
export function lockHolders(fd: number, wanted: WantedLock, budgetMs: number): LockHolder[] {
  const file = identityInLocks(fd);
  if (file === undefined) return [];
  const found = new Set<number>();
  try {
    search(budget(budgetMs), (pid, number) => {
      if (isConflict(pid, number, fd, file, wanted)) found.add(pid);
    });
  } catch (error) {
    // Without a free descriptor nothing more can be read. The caller's EBUSY then names fewer processes.
    if (!hasCode(error, 'EMFILE', 'ENFILE')) throw error;
  }
  // A mapping keeps the locks of the descriptor that it was made by, after that is closed.
  if (found.size === 0) for (const pid of mappersOf(file, budget(budgetMs))) found.add(pid);
  return [...found].map((pid) => ({ pid, command: commandOf(pid) }));
}

/** Whether a process has such a lock at this moment, by a descriptor that is open. */
export function holdsLock(pid: number, fd: number, wanted: WantedLock): boolean {
  const file = identityInLocks(fd);
  try {
    return [...descriptorsOf(`/proc/${pid}`)].some((number) => isConflict(pid, number, fd, file, wanted));
  } catch (error) {
    if (hasCode(error, 'EMFILE', 'ENFILE')) return false;
    throw error;
  }
}

function isConflict(
  pid: number,
  number: string,
  fd: number,
  file: string | undefined,
  wanted: WantedLock,
): boolean {
  if (pid === process.pid && number === String(fd)) return false;
  return locksOf(pid, number).some((lock) => lock.file === file && conflicts(lock, wanted));
}

/** Whether this process has worked for so many milliseconds by now. However busy the machine is, it ends within ten times of that. */
function budget(ms: number): () => boolean {
  const begun = process.cpuUsage();
  const end = performance.now() + 10 * ms;
  return () => {
    const { user, system } = process.cpuUsage(begun);
    return (user + system) / 1000 > ms || performance.now() > end;
  };
}

/** Other processes that have a file mapped. */
function mappersOf(file: string, isOver: () => boolean): number[] {
  const found: number[] = [];
  const [major, minor, inode] = file.split(':');
  const line = new RegExp(`^\\S+ \\S+ \\S+ ${major}:${minor} ${inode} `, 'm');
  for (const pid of youngestFirst()) {
    if (isOver()) break;
    if (pid === process.pid) continue;
    if (line.test(unlessGone(() => fs.readFileSync(`/proc/${pid}/maps`, 'latin1')) ?? '')) found.push(pid);
  }
  return found;
}

function search(isOver: () => boolean, look: (pid: number, descriptor: string) => void): void {
  for (const pid of youngestFirst()) {
    for (const descriptor of descriptorsOf(`/proc/${pid}`)) {
      if (isOver()) return;
      look(pid, descriptor);
    }
  }
}

/** All processes: first this one, then by descending pid. */
function youngestFirst(): Iterable<number> {
  return new Set([
    process.pid,
    ...numbersIn('/proc')
      .map(Number)
      .sort((a, b) => b - a),
  ]);
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
  const info = descriptorInfo(`/proc/${pid}`, fd) ?? '';
  if (!info.includes('\nlock:')) return [];
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

/** A file as lock lines name it: device of its file system and inode. Undefined when the kernel is too old to list the inode. */
function identityInLocks(fd: number): string | undefined {
  const info = unlessGone(() => fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1')) ?? '';
  const mount = /^mnt_id:\s*(\d+)$/m.exec(info)?.[1];
  const inode = /^ino:\s*(\d+)$/m.exec(info)?.[1];
  if (mount === undefined || inode === undefined) return undefined;
  // stat(2) reports a different device on some file systems (overlay, btrfs).
  const mounts = unlessGone(() => fs.readFileSync('/proc/self/mountinfo', 'latin1')) ?? '';
  const numbers = new RegExp(`^${mount} \\d+ (\\d+):(\\d+) `, 'm').exec(mounts);
  if (!numbers) return undefined;
  const [major, minor] = [numbers[1]!, numbers[2]!].map((number) =>
    Number(number).toString(16).padStart(2, '0'),
  );
  return `${major}:${minor}:${inode}`;
}

/** Runs `look`; undefined when the process has ended or belongs to another user. */
function unlessGone<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM')) return undefined;
    throw error;
  }
}
