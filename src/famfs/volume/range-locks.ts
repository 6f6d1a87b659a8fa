import {
  closeDescriptor,
  closing,
  fail,
  type LockPatience,
  lockHoldersText,
  ofdLock,
  ofdLockConflict,
  waitForLock,
  waitForLockLater,
  whenClosed,
  whenCollected,
} from '../../libc/index.js';
import type { FamfsExtent } from '../media/fmap.js';
import { FAMFS_LOG_OFFSET, logHeaderLayout } from '../media/layout.js';
import { backingRanges, type DeviceMedia } from './device-media.js';
import { openForLocks } from './file-lock.js';

/** Names have bytes from here on, each by a hash: two names of one hash exclude each other, once in 2^51. */
const NAMES_START = 2 ** 52;
/** All that is locked here lies below. */
const LOCKS_END = 2 ** 53;

/**
 * Who may write what, between the processes of this host: byte-range locks on the memory itself (the
 * file or device node behind it), so that everybody who can reach the bytes meets everybody else, under
 * whatever name, machine or state directory they opened them.
 *   the log header's bytes   held for one append: allocation and log belong to one process at a time
 *   a file's extents         held while data is copied into space that no log entry names yet
 *   a name to be             held while a mount has something that it will log under this name later: far beyond any device
 * They are open-file-description locks: the kernel drops those of a killed process, so a reservation of
 * the dead lapses by itself. Order: the log first, extents under it; extents alone are released freely.
 * Whoever may read the memory can lock it against writers, so no wait is long, and its end names who has the lock.
 */
export class RangeLocks {
  readonly #media: DeviceMedia;
  #fd: number | undefined;
  #patience: LockPatience = {};
  #log = { start: 0, length: 0 };
  /** Nobody else has any of these locks, and gets none while the log is ours. Asked for once a session. */
  #isAlone: boolean | undefined;

  constructor(media: DeviceMedia) {
    this.#media = media;
  }

  #open(): number {
    const { backing, dax } = this.#media;
    const fd = openForLocks(this.#media);
    const [header] = backingRanges(dax, FAMFS_LOG_OFFSET, logHeaderLayout.size);
    this.#log = { start: header!.offset, length: header!.length };
    this.#fd = fd;
    whenCollected(this, `locks on ${backing.name}`, closing(fd));
    return fd;
  }

  /** How long takeLog() may wait, as the most patient user of this mount wants it. */
  allow(patience: LockPatience): void {
    if ((patience.lockWaitMs ?? 0) > (this.#patience.lockWaitMs ?? 0)) this.#patience = patience;
  }

  /**
   * Takes the log, waiting for whoever has it: an append takes microseconds. Not recursive.
   * @throws DaxError EBUSY naming who keeps it longer than we may wait
   */
  takeLog(): void {
    const fd = this.#fd ?? this.#open();
    const { name } = this.#media;
    this.#isAlone = undefined;
    if (!waitForLock(() => ofdLock(fd, 'exclusive', this.#log), `the log of ${name}`, this.#patience)) {
      this.#refuse(fd);
    }
  }

  /**
   * Takes the log and has `act` called at once (it gives the log back), without blocking the event loop: waits longer, until
   * `signal` is aborted. Nothing runs between the two: locks of one descriptor do not exclude each other.
   * @throws DaxError EBUSY, EBADF closed meanwhile; the signal's reason
   */
  async withLogLater(act: () => void, signal: AbortSignal | undefined): Promise<void> {
    const fd = this.#fd ?? this.#open();
    const attempt = (): boolean => {
      if (this.#fd !== fd) {
        fail('EBADF', `the volume on ${this.#media.name} was closed meanwhile: mount it again`, {
          path: this.#media.name,
        });
      }
      if (!ofdLock(fd, 'exclusive', this.#log)) return false;
      this.#isAlone = undefined;
      act();
      return true;
    };
    if (!(await waitForLockLater(attempt, signal ? { signal } : {}))) this.#refuse(fd);
  }

  #refuse(fd: number): never {
    const who = lockHoldersText(fd, 'exclusive', this.#log, this.#patience);
    fail(
      'EBUSY',
      `the log of ${this.#media.name} is locked by ${who}, which does not go on (stopped?): let it go on, or end it, and try again`,
      { path: this.#media.name },
    );
  }

  releaseLog(): void {
    if (this.#fd !== undefined) ofdLock(this.#fd, 'unlock', this.#log);
  }

  /** Reserves extents that no conflict() was found for, all or none. The caller has the log. */
  reserve(extents: readonly FamfsExtent[]): void {
    for (const range of this.#ranges(extents)) {
      if (ofdLock(this.#fd!, 'exclusive', range)) continue;
      this.release(extents);
      fail(
        'EAGAIN',
        `space of ${this.#media.name} was reserved just now by ${this.holdersText(extents)}: try again`,
        { path: this.#media.name },
      );
    }
  }

  /** Who has these extents reserved (or locked: whoever may read the memory can), for messages. */
  holdersText(extents: readonly FamfsExtent[]): string {
    const [range] = this.#ranges(extents).filter((piece) => ofdLockConflict(this.#fd!, piece));
    return range ? lockHoldersText(this.#fd!, 'exclusive', range, this.#patience) : 'another process';
  }

  /** Nothing to do once closed: the locks went with the descriptor. */
  release(extents: readonly FamfsExtent[]): void {
    if (this.#fd === undefined) return;
    for (const range of this.#ranges(extents)) ofdLock(this.#fd, 'unlock', range);
  }

  /** A part of these extents that another process has reserved (device bytes), or null. The caller has the log. */
  conflict(extents: readonly FamfsExtent[]): { offset: number; length: number } | null {
    if (this.#alone) return null;
    for (const { offset, length } of extents) {
      let deviceOffset = offset;
      for (const piece of backingRanges(this.#media.dax, offset, length)) {
        const found = ofdLockConflict(this.#fd!, { start: piece.offset, length: piece.length });
        if (found) {
          const start = Math.max(found.start, piece.offset);
          const end = Math.min(found.start + found.length, piece.offset + piece.length);
          return { offset: deviceOffset + start - piece.offset, length: end - start };
        }
        deviceOffset += piece.length;
      }
    }
    return null;
  }

  /** @returns false when somebody else of this host has the name. The caller has the log. */
  takeName(logPath: string): boolean {
    return ofdLock(this.#fd!, 'exclusive', rangeOfName(logPath));
  }

  /** Nothing to do once closed. */
  releaseName(logPath: string): void {
    if (this.#fd !== undefined) ofdLock(this.#fd, 'unlock', rangeOfName(logPath));
  }

  /** Whether somebody else of this host has the name. The caller has the log. */
  isNameTaken(logPath: string): boolean {
    return !this.#alone && ofdLockConflict(this.#fd!, rangeOfName(logPath)) !== null;
  }

  /** Who has a name, for messages. */
  nameHolderText(logPath: string): string {
    return lockHoldersText(this.#fd!, 'exclusive', rangeOfName(logPath), this.#patience);
  }

  get #alone(): boolean {
    this.#isAlone ??= ofdLockConflict(this.#fd!, { start: 0, length: LOCKS_END }) === null;
    return this.#isAlone;
  }

  close(): void {
    if (this.#fd === undefined) return;
    whenClosed(this);
    closeDescriptor(this.#fd);
    this.#fd = undefined;
  }

  #ranges(extents: readonly FamfsExtent[]): { start: number; length: number }[] {
    return extents.flatMap(({ offset, length }) =>
      backingRanges(this.#media.dax, offset, length).map((piece) => ({
        start: piece.offset,
        length: piece.length,
      })),
    );
  }
}

function rangeOfName(logPath: string): { start: number; length: number } {
  let high = 0x811c9dc5;
  let low = 0x9e3779b9;
  for (let i = 0; i < logPath.length; i++) {
    const code = logPath.charCodeAt(i);
    high = Math.imul(high ^ code, 0x01000193);
    low = Math.imul(low ^ code, 0x85ebca6b) ^ (low >>> 13);
  }
  return { start: NAMES_START + (high >>> 13) * 2 ** 32 + (low >>> 0), length: 1 };
}
