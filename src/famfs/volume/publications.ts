import fs from 'node:fs';
import { join } from 'node:path';
import { asDaxError, hasCode, makeDirectories } from '../../libc/index.js';

/**
 * How publish() reaches mounts of the same volume in other processes of this host (their page caches are copies): each
 * publish stores a new stamp into one small file in the host's state directory, volumes/UUID/published. A mount compares the stamp
 * from time to time. Nobody waits for anybody.
 */
export class Publications {
  readonly #path: string | null;

  /** @param directory the host's `volumes/`, or undefined where there is none: then nobody is told */
  constructor(directory: string | undefined, uuid: string) {
    this.#path = directory === undefined ? null : join(directory, uuid, 'published');
  }

  /** Something was published now. @throws DaxError ENOSPC, EACCES, EROFS naming the file */
  announce(): void {
    if (this.#path === null) return;
    try {
      makeDirectories(join(this.#path, '..'));
      fs.writeFileSync(this.#path, `${process.pid} ${process.hrtime.bigint()}\n`);
    } catch (error) {
      throw asDaxError(error, `cannot tell the mounts of this host what was published (${this.#path})`);
    }
  }

  /** Differs from an earlier answer when something was published in between. */
  stamp(): string {
    if (this.#path === null) return '';
    try {
      const { mtimeNs, ino } = fs.statSync(this.#path, { bigint: true });
      return `${ino}-${mtimeNs}`;
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return '';
      throw error;
    }
  }
}
