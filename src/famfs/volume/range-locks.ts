import {
  closeDescriptor,
  closing,
  fail,
  HeldBy,
  type LockPatience,
  LockTurns,
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
import { openForLocks, openToAsk } from './lock-descriptor.js';

/**
 * The bytes from here on stand for names: a name's hash selects one of 2^51 bytes. Two names of the same hash exclude each other,
 * which is harmless and rare.
 */
const NAMES_START = 2 ** 52;
/** The bytes from here on, one for each place that a log can have, are locked by those who have waited for it long. */
const WAITING_START = NAMES_START + 2 ** 51;
/** The end of all bytes that are locked here. */
const LOCKS_END = 2 ** 53;

/**
 * Locks that coordinate the writers of this host. They are byte-range locks on the backing itself (the file or device node),
 * so they work between all processes that reach the same bytes, whatever name, machine or state directory they use.
 *   the log header's bytes   held for one append: allocation and log belong to one process at a time
 *   a file's extents         held while data is copied into space that no log entry names yet
 *   a byte of the log's      shared by those who have waited for the log for some milliseconds (LockTurns)
 *   a name in the making     held until the file or directory is logged: a byte far beyond the end of any device
 * They are open-file-description locks. The kernel drops those of a killed process, so its reservations end by themselves.
 * Order: the log first, extents under it. Extents may be released at any time.
 * Any process that may read the memory can lock it against writers. So waits are short, and their error names who has the lock.
 */
export class RangeLocks {
  readonly #media: DeviceMedia;
  readonly #progress: (() => number) | undefined;
  #fd: number | undefined;
  #patience: LockPatience = {};
  #log = { start: 0, length: 0 };
  #turns: LockTurns | undefined;
  #heldBy: HeldBy | undefined;
  /** Whether no other handle has any of these locks; none gets one while this handle has the log. Asked once a session. */
  #isAlone: boolean | undefined;

  /** @param progress what of the log changes with each append, see LockTurns */
  constructor(media: DeviceMedia, progress?: () => number) {
    this.#media = media;
    this.#progress = progress;
  }

  #open(): number {
    const { backing, dax } = this.#media;
    const fd = openForLocks(this.#media);
    const [header] = backingRanges(dax, FAMFS_LOG_OFFSET, logHeaderLayout.size);
    this.#log = { start: header!.offset, length: header!.length };
    this.#fd = fd;
    this.#turns = new LockTurns(fd, { start: WAITING_START + header!.offset, length: 1 }, this.#progress);
    this.#heldBy = new HeldBy(fd, { kind: 'exclusive', ...this.#log }, () => this.#patience);
    whenCollected(this, `locks on ${backing.name}`, closing(fd));
    return fd;
  }

  /** Sets how long takeLog() may wait. The most patient user of this mount decides. */
  allow(patience: LockPatience): void {
    if ((patience.lockWaitMs ?? 0) > (this.#patience.lockWaitMs ?? 0)) this.#patience = patience;
  }

  /**
   * Takes the log's lock. Waits while another process has it: an append takes microseconds. Not recursive.
   * @throws DaxError EBUSY another process keeps it longer than the allowed wait; the message names it
   */
  takeLog(): void {
    const fd = this.#fd ?? this.#open();
    const { name } = this.#media;
    this.#isAlone = undefined;
    const attempt = () => ofdLock(fd, 'exclusive', this.#log);
    const [turns, heldBy] = [this.#turns!, this.#heldBy!];
    if (!waitForLock(attempt, `the log of ${name}`, this.#patience, { turns, heldBy })) this.#refuse();
  }

  /**
   * Takes the log's lock without blocking the event loop, and calls `act`, which releases it. It waits longer than takeLog(), and
   * stops when `signal` is aborted. `act` must run at once after the lock is taken: locks of one descriptor do not exclude each
   * other, so nothing else of this process may run in between.
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
    const turns = this.#turns;
    if (!(await waitForLockLater(attempt, { ...(signal && { signal }), turns }))) this.#refuse();
  }

  #refuse(): never {
    const who = this.#heldBy!.text();
    fail(
      'EBUSY',
      `the log of ${this.#media.name} is kept locked by ${who}: let it go on if it is stopped, or end it, and try again`,
      { path: this.#media.name },
    );
  }

  releaseLog(): void {
    if (this.#fd !== undefined) ofdLock(this.#fd, 'unlock', this.#log);
  }

  /** Reserves extents for which conflict() found nothing, all or none. The caller has the log. @throws DaxError EAGAIN */
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

  /** Who has locked some of these extents, for messages. */
  holdersText(extents: readonly FamfsExtent[]): string {
    const [range] = this.#ranges(extents).filter((piece) => ofdLockConflict(this.#fd!, piece));
    return range ? lockHoldersText(this.#fd!, 'exclusive', range, this.#patience) : 'another process';
  }

  /** Releases extents. After close() it does nothing: the locks ended with the descriptor. */
  release(extents: readonly FamfsExtent[]): void {
    if (this.#fd === undefined) return;
    for (const range of this.#ranges(extents)) ofdLock(this.#fd, 'unlock', range);
  }

  /** A part of these extents that another process has reserved, in device bytes, or null. The caller has the log. */
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

  /**
   * The parts of a range that other handles on this host have locked, in device bytes: space reserved for files that no log entry
   * names yet, and locked bytes of files. It takes no lock, so the answer is that of a moment.
   */
  *lockedByOthers(offset: number, length: number): Generator<{ offset: number; length: number }> {
    const fd = this.#fd ?? openToAsk(this.#media);
    if (fd === null) return;
    try {
      if (ofdLockConflict(fd, { start: 0, length: LOCKS_END }) === null) return;
      let deviceOffset = offset;
      for (const piece of backingRanges(this.#media.dax, offset, length)) {
        const moved = deviceOffset - piece.offset;
        for (const { start, end } of conflictsIn(fd, piece.offset, piece.offset + piece.length))
          yield { offset: start + moved, length: end - start };
        deviceOffset += piece.length;
      }
    } finally {
      if (this.#fd === undefined) closeDescriptor(fd);
    }
  }

  /**
   * Takes a name. The caller has the log.
   * @returns a function that gives it back; idempotent, and after close() it does nothing
   * @throws DaxError EBUSY another handle on this host has the name
   */
  keepName(logPath: string): () => void {
    if (!ofdLock(this.#fd!, 'exclusive', rangeOfName(logPath))) this.#refuseName(logPath);
    let isHeld = true;
    return () => {
      if (isHeld && this.#fd !== undefined) ofdLock(this.#fd, 'unlock', rangeOfName(logPath));
      isHeld = false;
    };
  }

  /** The caller has the log. @throws DaxError EBUSY another handle on this host has the name */
  refuseTakenName(logPath: string): void {
    if (!this.#alone && ofdLockConflict(this.#fd!, rangeOfName(logPath)) !== null) this.#refuseName(logPath);
  }

  /** @throws DaxError EBUSY naming who has the lock on a name */
  #refuseName(logPath: string): never {
    const who = lockHoldersText(this.#fd!, 'exclusive', rangeOfName(logPath), this.#patience);
    return fail(
      'EBUSY',
      `/${logPath} is being made by ${who} (it appears when it is whole): choose another name, or wait`,
      { path: `/${logPath}` },
    );
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

/** All locks of others in a range. The kernel names one of them, not always the first: so both sides of it are asked about too. */
function* conflictsIn(fd: number, from: number, to: number): Generator<{ start: number; end: number }> {
  const unknown = [{ from, to }];
  for (let part = unknown.pop(); part !== undefined; part = unknown.pop()) {
    if (part.from >= part.to) continue;
    const found = ofdLockConflict(fd, { start: part.from, length: part.to - part.from });
    if (found === null) continue;
    const start = Math.max(found.start, part.from);
    const end = Math.min(found.start + found.length, part.to);
    yield { start, end };
    unknown.push({ from: end, to: part.to }, { from: part.from, to: start });
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
