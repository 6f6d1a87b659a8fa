import {
  closeDescriptor,
  closing,
  HeldBy,
  type LockPatience,
  type LockRange,
  LockTurns,
  ofdLock,
  ofdLockConflict,
  whenClosed,
  whenCollected,
} from '../../libc/index.js';
import { extentRanges, type Fmap } from '../media/fmap.js';
import { backingRanges, type DeviceMedia } from './device-media.js';
import { openForLocks } from './lock-descriptor.js';

/**
 * Locks on single bytes of one file, for protocols that take them often: one descriptor for all of them, one system call each. They
 * are open-file-description locks on the memory itself: they reach all processes of this host, and those of the dead lapse.
 */
export class ByteLocks {
  readonly #fd: number;
  readonly #media: DeviceMedia;
  readonly #fmap: Fmap;
  #isOpen = true;

  constructor(media: DeviceMedia, fmap: Fmap) {
    this.#media = media;
    this.#fmap = fmap;
    this.#fd = openForLocks(media);
    whenCollected(this, `locks on ${media.name}`, closing(this.#fd));
  }

  /** The lock of the byte at `offset` of the file, for the calls below. */
  at(offset: number): LockRange {
    const [extent] = extentRanges(this.#fmap, offset, 1);
    const [piece] = backingRanges(this.#media.dax, extent!.offset, 1);
    return { start: piece!.offset, length: 1 };
  }

  /** For a lock that processes take as fast as they can: `byte` is another one of the file, which nothing else locks. */
  turns(byte: LockRange, progress: () => number): LockTurns {
    return new LockTurns(this.#fd, byte, progress);
  }

  /** Never waits. @returns false when another descriptor has it */
  take(lock: LockRange): boolean {
    return ofdLock(this.#fd, 'exclusive', lock);
  }

  release(lock: LockRange): void {
    if (this.#isOpen) ofdLock(this.#fd, 'unlock', lock);
  }

  /** Whether another descriptor has it. */
  isTaken(lock: LockRange): boolean {
    return ofdLockConflict(this.#fd, lock) !== null;
  }

  /** Who has it, for waits and messages. */
  heldBy(lock: LockRange, patience: LockPatience): HeldBy {
    return new HeldBy(this.#fd, { kind: 'exclusive', ...lock }, () => patience);
  }

  /** Releases all of them. Idempotent. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    whenClosed(this);
    closeDescriptor(this.#fd);
  }
}
