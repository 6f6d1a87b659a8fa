/** Where an archive goes: a file of a volume, or of this host. It appears when it is whole. */
import fs from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { finished } from 'node:stream/promises';
import type { Volume } from '../../famfs/index.js';
import { asDaxError, closeDescriptor, fail, hasCode, removeLeftover, writeFully } from '../../libc/index.js';

export interface PackTarget {
  write(bytes: Uint8Array): Promise<void>;
  /** Gives it its name. */
  commit(): Promise<void>;
  /** Leaves nothing. Idempotent; nothing to do after commit(). */
  end(): void;
}

/** @throws DaxError as Volume.createWriteStream(); ENOSPC it is not going to fit */
export function volumeTarget(volume: Volume, path: string, bytes: number, mode: number): PackTarget {
  const { free, allocUnit } = volume.statfs();
  if (Math.ceil(bytes / allocUnit) * allocUnit > free) {
    fail('ENOSPC', `${path} takes ${bytes} bytes, ${volume.device} has ${free} free: nothing was packed`, {
      path,
    });
  }
  const stream = volume.createWriteStream(path, { mode });
  let failure: Error | undefined;
  stream.on('error', (error) => {
    failure ??= error;
  });
  return {
    write: (piece) =>
      new Promise((resolve, reject) => {
        if (failure) reject(failure);
        else stream.write(piece, (error) => (error ? reject(error) : resolve()));
      }),
    async commit() {
      const done = finished(stream);
      stream.end();
      await done;
    },
    end: () => void stream.destroy(),
  };
}

/** A link at `path` is followed, and a file that is there is replaced. @throws DaxError EISDIR, EACCES, ENOENT, ENOSPC */
export function hostTarget(path: string): PackTarget {
  const { fd, temporary, place } = opened(path);
  let isOpen = true;
  const close = (): void => {
    if (!isOpen) return;
    isOpen = false;
    closeDescriptor(fd);
    removeLeftover(temporary);
  };
  return {
    async write(piece) {
      try {
        writeFully(fd, piece);
      } catch (error) {
        throw asDaxError(error, `writing ${path}`, path);
      }
    },
    async commit() {
      try {
        // close(2) may report a failed write only now (NFS, a quota).
        fs.closeSync(fd);
        isOpen = false;
        fs.renameSync(temporary, place);
      } catch (error) {
        isOpen = false;
        removeLeftover(temporary);
        throw asDaxError(error, `writing ${path}`, path);
      }
    },
    end: close,
  };
}

function opened(path: string): { fd: number; temporary: string; place: string } {
  try {
    const existing = fs.statSync(path, { throwIfNoEntry: false });
    if (existing?.isDirectory())
      fail('EISDIR', `${path} is a directory: give the name of the archive`, { path });
    if (existing && !existing.isFile())
      fail('EINVAL', `${path} is no regular file: name another one`, { path });
    const place = existing ? fs.realpathSync(path) : path;
    for (let attempt = 0; ; attempt++) {
      const temporary = join(dirname(place), `.${basename(place).slice(0, 200)}.${process.pid}.${attempt}`);
      try {
        return { fd: fs.openSync(temporary, 'wx', 0o666), temporary, place };
      } catch (error) {
        if (!hasCode(error, 'EEXIST')) throw error;
      }
    }
  } catch (error) {
    throw asDaxError(error, `cannot write ${path}`, path);
  }
}
