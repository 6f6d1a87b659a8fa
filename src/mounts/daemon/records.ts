import fs from 'node:fs';
import { join } from 'node:path';
import { resolveMountpoint } from '../../fuse/index.js';
import { asDaxError, hasCode, makeDirectories, ofdLock } from '../../libc/index.js';

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
  /** Idempotent. */
  remove(): void;
}

/**
 * ROOT/mounts/: one small file a mount, locked by the process that serves it. A file that nobody locks is of a daemon that was
 * killed: whoever meets it removes it.
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
    const path = join(this.#directory, `${fileName(record.mountpoint)}.json`);
    // Under another name first: the file is seen with its lock and its text, or not at all.
    const born = `${path}.${process.pid}`;
    const fd = fs.openSync(born, 'wx+');
    ofdLock(fd, 'exclusive');
    fs.writeSync(fd, `${JSON.stringify(record)}\n`);
    fs.renameSync(born, path);
    let isThere = true;
    return {
      remove: () => {
        if (!isThere) return;
        isThere = false;
        fs.rmSync(path, { force: true });
        fs.rmSync(this.logPath(record.mountpoint), { force: true });
        fs.closeSync(fd);
      },
    };
  }

  /** Mounts that live processes serve. Removes what the dead left. */
  list(): MountRecord[] {
    let names: string[];
    try {
      names = fs.readdirSync(this.#directory).filter((name) => name.endsWith('.json'));
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return [];
      throw error;
    }
    return names.sort().flatMap((name) => readIfAlive(join(this.#directory, name)));
  }

  /** The live record of a mountpoint. */
  at(mountpoint: string): MountRecord | undefined {
    const wanted = resolveMountpoint(mountpoint);
    return this.list().find((record) => record.mountpoint === wanted);
  }
}

function fileName(mountpoint: string): string {
  return encodeURIComponent(resolveMountpoint(mountpoint)).slice(-200);
}

function readIfAlive(path: string): MountRecord[] {
  let fd: number;
  try {
    fd = fs.openSync(path, 'r');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
  try {
    if (ofdLock(fd, 'shared')) {
      fs.rmSync(path, { force: true });
      fs.rmSync(path.replace(/\.json$/, '.log'), { force: true });
      return [];
    }
    return [JSON.parse(fs.readFileSync(fd, 'utf8')) as MountRecord];
  } finally {
    fs.closeSync(fd);
  }
}
