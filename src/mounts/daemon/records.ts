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
  makeDirectories,
  makeRecordFile,
  oneOf,
  openOwnFile,
  optional,
  readRecordFile,
  text,
} from '../../libc/index.js';

/** What the state directory knows of one mount. */
export interface MountRecord {
  readonly pid: number;
  readonly kind: 'famfs' | 'sysfs';
  /** Device as it was given, or the machine's root. */
  readonly what: string;
  readonly mountpoint: string;
  /** The process that puts the device's mode back when the mount has ended (--set-mode). */
  readonly keeper?: number;
}

/** A record of this process; it says so as long as the process lives. */
export interface OwnRecord {
  /** Idempotent. @param options keepLog: there is something in it that somebody should read */
  remove(options?: { keepLog?: boolean }): void;
}

/** What a daemon left that ended without taking its mount down. */
export interface DeadRecord {
  readonly record: MountRecord;
  /** How it ended, where its log says it. */
  readonly lastWords: string | null;
}

const MODE = 0o600;
/** What the parent of a daemon writes into its log, and how long it may take to. */
const END = /^udax: the daemon \(pid \d+\) (?:was )?ended /;
const LAST_WORDS_MS = 1000;
/** Lines that tell of errors. */
const REASON = /^(?:udax|\w*Error(?: \[\w+\])?): /;

/**
 * ROOT/mounts/: one small file a mount, locked by the process that serves it. A file that nobody locks is of a daemon that was
 * killed: its end is told, and the file removed, by whoever mounts or unmounts there next. Whether something is mounted is the
 * kernel's to say (mountinfo), not that of a record: a mount can be taken down by anybody.
 */
export class MountRecords {
  readonly #directory: string;

  constructor(root: string) {
    this.#directory = join(root, 'mounts');
  }

  /** Where a daemon's own output goes. */
  logPath(mountpoint: string): string {
    return join(this.#directory, `${fileName(mountpoint)}.log`);
  }

  /** Makes the directory. @throws DaxError EACCES, EROFS, ENOSPC */
  prepare(): void {
    try {
      makeDirectories(this.#directory);
    } catch (error) {
      throw asDaxError(error, `cannot make ${this.#directory}`, this.#directory);
    }
  }

  /** Registers a mount of this process. */
  add(kind: MountRecord['kind'], what: string, mountpoint: string, keeper?: number): OwnRecord {
    this.prepare();
    const record: MountRecord = {
      pid: process.pid,
      kind,
      what,
      mountpoint: resolveMountpoint(mountpoint),
      ...(keeper !== undefined && { keeper }),
    };
    const path = this.#path(record.mountpoint);
    const fd = makeRecordFile(path, MODE, record, () => this.#setAside(path));
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

  /** A daemon whose mount was taken away (umount -l) still serves who has files open: its record goes on under its pid. */
  #setAside(path: string): void {
    const other = read(path);
    if (other?.isAlive) fs.renameSync(path, path.replace(/json$/, `${other.record.pid}.json`));
  }

  /** What lies under our name may be another's by now, with its log. */
  #removeOwn(path: string, fd: number, keepLog: boolean): void {
    const own = fs.fstatSync(fd);
    for (const name of [path, path.replace(/json$/, `${process.pid}.json`)]) {
      const there = fs.lstatSync(name, { throwIfNoEntry: false });
      if (there === undefined || !isSameFile(there, own)) continue;
      fs.rmSync(name, { force: true });
      if (name === path && !keepLog) fs.rmSync(logOf(path), { force: true });
    }
  }

  /** Mounts that live processes serve, whether or not they can be seen from here. */
  list(): MountRecord[] {
    return this.#names().flatMap((name) => {
      const found = read(join(this.#directory, name));
      return found?.isAlive ? [found.record] : [];
    });
  }

  /** The live record of a mountpoint; of several, the one that mounted last. */
  at(mountpoint: string): MountRecord | undefined {
    const wanted = resolveMountpoint(mountpoint);
    const last = read(this.#path(wanted));
    if (last?.isAlive) return last.record;
    return this.list().find((record) => record.mountpoint === wanted);
  }

  /** What daemons left that ended without taking their mounts down: told, not taken away. */
  dead(): DeadRecord[] {
    return this.#names().flatMap((name) => {
      const path = join(this.#directory, name);
      const found = read(path);
      if (found === undefined || found.isAlive) return [];
      const lines = linesOf(logOf(path));
      return [{ record: found.record, lastWords: lines === null ? null : endIn(lines) }];
    });
  }

  /** Takes away what a daemon left that was killed while it served a mountpoint. */
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
  add: { kind: oneOf('famfs', 'sysfs'), what: text, ...mountpoint, keeper: optional(integer()) },
  at: mountpoint,
  takeDead: mountpoint,
});

function fileName(mountpoint: string): string {
  return encodeURIComponent(resolveMountpoint(mountpoint)).slice(-200);
}

function logOf(path: string): string {
  return path.replace(/\.json$/, '.log');
}

/** Undefined: there is none, or it is none of ours. */
function read(path: string): { record: MountRecord; isAlive: boolean } | undefined {
  const found = readRecordFile(path);
  const record = found && parse(found.text);
  return found && record ? { record, isAlive: found.isAlive } : undefined;
}

function parse(text: string): MountRecord | null {
  try {
    const { pid, kind, what, mountpoint, keeper } = JSON.parse(text) as Partial<MountRecord>;
    const isRecord = Number.isSafeInteger(pid) && typeof what === 'string' && typeof mountpoint === 'string';
    if (!isRecord || (kind !== 'famfs' && kind !== 'sysfs')) return null;
    return { pid: pid!, kind, what, mountpoint, ...(typeof keeper === 'number' && { keeper }) };
  } catch {
    return null; // damaged: nobody can be found by it
  }
}

/** Null: there is no log, since the process ran in a terminal, or nothing came. */
async function lastWordsIn(log: string): Promise<string | null> {
  const deadline = performance.now() + LAST_WORDS_MS;
  for (;;) {
    const lines = linesOf(log);
    const end = lines === null ? null : endIn(lines);
    if (end !== null) return end;
    if (lines === null || performance.now() > deadline) return null;
    await pause(20); // its parent is about to write
  }
}

/** How a log says that its daemon ended. */
function endIn(lines: readonly string[]): string | null {
  const end = lines.findLast((line) => END.test(line));
  if (end === undefined) return null;
  return [end.replace(/^udax: /, ''), reasonIn(lines, end)].filter(Boolean).join(': ');
}

/** Who ended with a status has said why. */
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
    return fs.readFileSync(fd, 'utf8').trim().split('\n');
  } finally {
    closeDescriptor(fd);
  }
}
