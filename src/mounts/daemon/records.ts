import fs from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { resolveMountpoint } from '../../fuse/index.js';
import {
  asDaxError,
  checkMethods,
  closeDescriptor,
  hasCode,
  integer,
  isSameFile,
  makeDirectoryAsAbove,
  makeRecordFile,
  oneOf,
  openOwnFile,
  optional,
  options,
  readRecordFile,
  text,
} from '../../libc/index.js';

/** What the state directory records about one mount. */
export interface MountRecord {
  readonly pid: number;
  readonly kind: 'famfs' | 'sysfs';
  /** The device as the user gave it, or the machine's root. */
  readonly what: string;
  readonly mountpoint: string;
  /** The process that restores the device's mode when the mount has ended (--set-mode). */
  readonly keeper?: number;
  /** Where it serves its metrics: `http://127.0.0.1:9464/metrics`, `unix:/run/udax/metrics.sock`. */
  readonly metrics?: string;
}

/** A record of this process. It is live as long as the process, or until it is removed. */
export interface OwnRecord {
  /** Removes the record and the log. Idempotent. @param options keepLog: keeps the log, because it holds an error to read */
  remove(options?: { keepLog?: boolean }): void;
}

/** The record of a daemon that ended without taking its mount down. */
export interface DeadRecord {
  readonly record: MountRecord;
  /** How the daemon ended, if its log says so. */
  readonly lastWords: string | null;
}

/** The line that the daemon's parent writes into the log at the daemon's end, and how long to wait for it. */
const END = /^udax: the daemon \(pid \d+\) (?:was )?ended /;
const LAST_WORDS_MS = 1000;
/** Log lines that report errors. */
const REASON = /^(?:udax|\w*Error(?: \[\w+\])?): /;

/**
 * The records in ROOT/mounts/: one small file a mount, locked by the process that serves it. A file without a lock belongs to a
 * daemon that was killed. The next mount or unmount at that place reports its end and removes the file. A record does not say
 * whether something is mounted, because other programs can take the mount down: ask the kernel for that (mountinfo).
 */
export class MountRecords {
  readonly #directory: string;

  constructor(root: string) {
    this.#directory = join(root, 'mounts');
  }

  /** The log for the output of a daemon that serves this mountpoint. */
  logPath(mountpoint: string): string {
    return join(this.#directory, `${fileName(mountpoint)}.log`);
  }

  /** Makes the directory. @throws DaxError EACCES, EROFS, ENOSPC */
  prepare(): void {
    try {
      makeDirectoryAsAbove(this.#directory);
    } catch (error) {
      throw asDaxError(error, `cannot make ${this.#directory}`, this.#directory);
    }
  }

  /** Registers a mount of this process. */
  add(about: Omit<MountRecord, 'pid'>): OwnRecord {
    this.prepare();
    const record: MountRecord = {
      pid: process.pid,
      ...about,
      mountpoint: resolveMountpoint(about.mountpoint),
    };
    const path = this.#path(record.mountpoint);
    // Whoever may read the directory sees what is mounted.
    const mode = fs.statSync(this.#directory).mode & 0o666;
    const fd = makeRecordFile(path, mode, record, () => this.#setAside(path));
    let isThere = true;
    return {
      remove: ({ keepLog = false } = {}) => {
        if (!isThere) return;
        isThere = false;
        this.#removeOwn(path, fd, keepLog);
        closeDescriptor(fd);
      },
    };
  }

  /**
   * Renames the record of an earlier daemon that still lives: after umount -l it serves those who have files open. The new name
   * holds its pid.
   */
  #setAside(path: string): void {
    const other = read(path);
    if (other?.isAlive) fs.renameSync(path, path.replace(/json$/, `${other.record.pid}.json`));
  }

  /** Removes the record of this process, under either name. The file under the first name may belong to another process by now. */
  #removeOwn(path: string, fd: number, keepLog: boolean): void {
    const own = fs.fstatSync(fd);
    for (const name of [path, path.replace(/json$/, `${process.pid}.json`)]) {
      const there = fs.lstatSync(name, { throwIfNoEntry: false });
      if (there === undefined || !isSameFile(there, own)) continue;
      fs.rmSync(name, { force: true });
      if (name === path && !keepLog) fs.rmSync(logOf(path), { force: true });
    }
  }

  /** The mounts that live processes serve, whether or not this process sees them in its mount namespace. */
  list(): MountRecord[] {
    return this.#names().flatMap((name) => {
      const found = read(join(this.#directory, name));
      return found?.isAlive ? [found.record] : [];
    });
  }

  /** The live record of a mountpoint. If there are several, the one of the last mount. */
  at(mountpoint: string): MountRecord | undefined {
    const wanted = resolveMountpoint(mountpoint);
    const last = read(this.#path(wanted));
    if (last?.isAlive) return last.record;
    return this.list().find((record) => record.mountpoint === wanted);
  }

  /** The records of daemons that ended without taking their mounts down. It does not remove them. */
  dead(): DeadRecord[] {
    return this.#names().flatMap((name) => {
      const path = join(this.#directory, name);
      const found = read(path);
      if (found === undefined || found.isAlive) return [];
      const lines = linesOf(logOf(path));
      return [{ record: found.record, lastWords: lines === null ? null : endIn(lines) }];
    });
  }

  /** Removes and returns the record (and log) of a daemon that was killed while it served a mountpoint. */
  async takeDead(mountpoint: string): Promise<DeadRecord | undefined> {
    const path = this.#path(resolveMountpoint(mountpoint));
    const found = read(path);
    if (found === undefined || found.isAlive) return undefined;
    const log = logOf(path);
    const lastWords = await lastWordsIn(log);
    fs.rmSync(path, { force: true });
    fs.rmSync(log, { force: true });
    return { record: found.record, lastWords };
  }

  #names(): string[] {
    try {
      return fs
        .readdirSync(this.#directory)
        .filter((name) => name.endsWith('.json'))
        .sort();
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return [];
      throw error;
    }
  }

  #path(mountpoint: string): string {
    return join(this.#directory, `${fileName(mountpoint)}.json`);
  }
}

const mountpoint = { mountpoint: text };

checkMethods(MountRecords, {
  logPath: mountpoint,
  add: {
    about: options({
      kind: oneOf('famfs', 'sysfs'),
      what: text,
      ...mountpoint,
      keeper: optional(integer()),
      metrics: optional(text),
    }),
  },
  at: mountpoint,
  takeDead: mountpoint,
});

function fileName(mountpoint: string): string {
  return encodeURIComponent(resolveMountpoint(mountpoint)).slice(-200);
}

function logOf(path: string): string {
  return path.replace(/\.json$/, '.log');
}

/** Reads a record. Undefined when there is none, or the file is no record. */
function read(path: string): { record: MountRecord; isAlive: boolean } | undefined {
  const found = readRecordFile(path);
  const record = found && parse(found.text);
  return found && record ? { record, isAlive: found.isAlive } : undefined;
}

function parse(text: string): MountRecord | null {
  try {
    const { pid, kind, what, mountpoint, keeper, metrics } = JSON.parse(text) as Partial<MountRecord>;
    const isRecord = Number.isSafeInteger(pid) && typeof what === 'string' && typeof mountpoint === 'string';
    if (!isRecord || (kind !== 'famfs' && kind !== 'sysfs')) return null;
    return {
      pid: pid!,
      kind,
      what,
      mountpoint,
      ...(typeof keeper === 'number' && { keeper }),
      ...(typeof metrics === 'string' && { metrics }),
    };
  } catch {
    return null; // damaged: it identifies no process
  }
}

/** Waits for the end of a daemon in its log. Null when there is no log (the process ran in a terminal) or no end in time. */
async function lastWordsIn(log: string): Promise<string | null> {
  const deadline = performance.now() + LAST_WORDS_MS;
  for (;;) {
    const lines = linesOf(log);
    const end = lines === null ? null : endIn(lines);
    if (end !== null) return end;
    if (lines === null || performance.now() > deadline) return null;
    await pause(20); // the parent may be about to write it
  }
}

/** The end of the daemon as the log lines say it, or null. */
function endIn(lines: readonly string[]): string | null {
  const end = lines.findLast((line) => END.test(line));
  if (end === undefined) return null;
  return [end.replace(/^udax: /, ''), reasonIn(lines, end)].filter(Boolean).join(': ');
}

/** The last error in the log of a daemon that ended with a status: it has printed why. '' for other ends. */
function reasonIn(lines: readonly string[], end: string): string {
  const said = / with status /.test(end)
    ? lines.findLast((line) => line !== end && REASON.test(line))
    : undefined;
  return said?.replace(/^udax: /, '') ?? '';
}

function linesOf(log: string): string[] | null {
  let fd: number;
  try {
    fd = openOwnFile(log, { writable: false });
  } catch {
    return null;
  }
  try {
    return fs.readFileSync(fd, 'utf8').trim().split('\n').map(messageIn);
  } finally {
    closeDescriptor(fd);
  }
}

/** The text of a line, which may be one of a JSON log. */
function messageIn(line: string): string {
  if (!line.startsWith('{')) return line;
  try {
    const { message } = JSON.parse(line) as { message?: unknown };
    return typeof message === 'string' ? message : line;
  } catch {
    return line;
  }
}
