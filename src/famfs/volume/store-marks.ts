import fs from 'node:fs';
import {
  closeDescriptor,
  closing,
  DaxError,
  fail,
  lockHoldersText,
  ofdLock,
  ofdLockConflict,
  touchFile,
  whenClosed,
  whenCollected,
} from '../../libc/index.js';
import { type LockedMemory, openForLocks } from './lock-descriptor.js';

/** The byte that stands for "somebody may be storing", beyond all bytes of range-locks.ts. */
const STORES = { start: 2 ** 54, length: 1 };
/** The kernel's clock for files may stand still for so many milliseconds. */
const CLOCK_STEP_MS = 20;

/**
 * Tells the processes of this host who stores into published files, so that a cache of their bytes knows when to drop them:
 *   a shared lock on one byte far beyond the backing's end   as long as a process may be storing
 *   the time of the backing                                  moved before its first store
 * A process that has stored once keeps the lock until it unmounts: its views may be written at any time.
 */
export class StoreMarks {
  readonly #media: LockedMemory;
  #fd: number | undefined;
  #isStoring = false;

  constructor(media: LockedMemory) {
    this.#media = media;
  }

  /** Marks this process as one that stores. Before the first store. @throws DaxError EBUSY somebody excludes all stores */
  begin(): void {
    if (this.#isStoring) return;
    const fd = this.#open();
    if (!ofdLock(fd, 'shared', STORES)) {
      const who = lockHoldersText(fd, 'shared', STORES);
      fail('EBUSY', `stores into ${this.#media.name} are locked out by ${who}: end it, and try again`, {
        path: this.#media.name,
      });
    }
    this.#moveTime(fd);
    this.#isStoring = true;
  }

  /** Whether another process may be storing now. */
  areOthersStoring(): boolean {
    return ofdLockConflict(this.#open(), STORES) !== null;
  }

  /** Differs from an earlier one when a process began to store in between. */
  stamp(): bigint {
    return fs.fstatSync(this.#open(), { bigint: true }).mtimeNs;
  }

  close(): void {
    if (this.#fd === undefined) return;
    whenClosed(this);
    closeDescriptor(this.#fd);
    this.#fd = undefined;
    this.#isStoring = false;
  }

  #moveTime(fd: number): void {
    const before = this.stamp();
    for (let waited = 0; waited <= CLOCK_STEP_MS; waited++) {
      this.#touch(fd);
      if (this.stamp() !== before) return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }

  #touch(fd: number): void {
    const { name } = this.#media.backing;
    try {
      touchFile(fd);
    } catch (error) {
      if (!(error instanceof DaxError)) throw error;
      const way =
        'its time cannot be set, which tells caches to drop its bytes: mount its directory writable';
      throw new DaxError(error.code, `nothing can be stored into ${name}: ${way}`, {
        path: name,
        cause: error,
      });
    }
  }

  #open(): number {
    if (this.#fd !== undefined) return this.#fd;
    const fd = openForLocks(this.#media);
    this.#fd = fd;
    whenCollected(this, `marks of stores on ${this.#media.backing.name}`, closing(fd));
    return fd;
  }
}
