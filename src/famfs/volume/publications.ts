import fs from 'node:fs';
import { join } from 'node:path';
import {
  asDaxError,
  closeDescriptor,
  hasCode,
  makeDirectoryAsAbove,
  openOrMakeOwnFile,
} from '../../libc/index.js';

interface PublishedVolume {
  readonly device: { readonly reservations?: string };
  readonly superblock: { readonly uuid: string };
}

/**
 * Tells the mounts of the same volume in other processes of this host about publish(), because the kernel's page cache holds
 * copies for them. Each publish stores a new stamp into one small file in the host's state directory, volumes/UUID/published.
 * A mount compares the stamp from time to time. Neither side waits for the other.
 */
export class Publications {
  readonly #path: string | null;

  static of({ device, superblock }: PublishedVolume): Publications {
    return new Publications(device.reservations, superblock.uuid);
  }

  /** @param directory the host's `volumes/`; undefined when there is none, and then announce() does nothing */
  constructor(directory: string | undefined, uuid: string) {
    this.#path = directory === undefined ? null : join(directory, uuid, 'published');
  }

  /** Announces a publish(). @throws DaxError ENOSPC, EACCES, EROFS naming the file */
  announce(): void {
    if (this.#path === null) return;
    try {
      const directory = join(this.#path, '..');
      makeDirectoryAsAbove(directory);
      const fd = openOrMakeOwnFile(this.#path, fs.statSync(directory).mode & 0o666);
      try {
        fs.writeFileSync(fd, `${process.pid} ${process.hrtime.bigint()}\n`);
      } finally {
        closeDescriptor(fd);
      }
    } catch (error) {
      throw asDaxError(error, `cannot tell the mounts of this host what was published (${this.#path})`);
    }
  }

  /** The current stamp. It differs from an earlier one when there was a publish() in between. */
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
