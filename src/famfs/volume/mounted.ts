import { type DaxDevice, type HolderOperations, MF_MEM_PRE_REMOVE } from '../../dax/index.js';
import { failMappings } from '../../fsdax/index.js';
import { DaxError, fail, type LockPatience, recentTime } from '../../libc/index.js';
import type { PhysicalRange } from '../../memory/index.js';
import { Allocator, dataStart, newAllocationMap } from '../media/allocator.js';
import { refuseStopped } from '../media/append.js';
import type { NewLogEntry } from '../media/entry.js';
import { extentRanges, type Fmap } from '../media/fmap.js';
import type { Superblock } from '../media/layout.js';
import { Log } from '../media/log.js';
import { asRewritten } from '../media/rewrite-switch.js';
import { salvagedSuperblock } from '../media/salvage.js';
import { readSuperblock, superblockBytes } from '../media/superblock.js';
import { FileTree } from '../media/tree.js';
import { AnnexWriter } from './annex-writer.js';
import { CatchUp } from './catch-up.js';
import { type DeviceMedia, deviceMedia } from './device-media.js';
import { Identity, letOthersIn, staleError } from './identity.js';
import type { Inode } from './inode.js';
import { InodesInUse } from './inodes-in-use.js';
import { LogWriter } from './log-writer.js';
import { assertMetadataIsHealthy } from './lost-ranges.js';
import { type MountMode, mustAgree } from './mount-mode.js';
import { RangeLocks } from './range-locks.js';
import { Space } from './space.js';
import type { AloneUse, DeviceHold, FamfsDevice, MountOptions } from './types.js';
import { watching } from './watching.js';

/** Milliseconds for which an answer to "is this still the file system that was mounted?" is used. */
const LOOK_MS = 5;
type Mounting = Pick<MountOptions, 'salvage' | 'purpose' | 'plain'> & LockPatience;

/**
 * A famfs that this process has mounted (the kernel's super block). All volumes of the process on one device share it. It is the holder of
 * the dax device. It lives from the first mount to the last close, or until the device is disabled: then every call fails.
 */
export class MountedFamfs implements HolderOperations, MountMode {
  readonly device: FamfsDevice;
  readonly dax: DaxDevice;
  readonly media: DeviceMedia;
  readonly superblock: Superblock;
  readonly tree: FileTree;
  readonly space: Space;
  /** Writes what the log cannot say. */
  readonly annex = new AnnexWriter(this);
  readonly writer: LogWriter;
  readonly #hold: DeviceHold;
  /** Null for a salvage, which reads whatever is there. */
  readonly #identity: Identity | null;
  /** Where superblock and log lie. */
  readonly #metadata: readonly PhysicalRange[];
  readonly #inodes: InodesInUse;
  readonly #locks: RangeLocks;
  readonly #catchUp = new CatchUp(this);
  #users = 0;
  #isDead = false;
  #lookedAt = Number.NEGATIVE_INFINITY;
  /** Set once another file system was made on the device. Every call throws it. */
  #stale: DaxError | undefined;
  #watch: NodeJS.Timeout | undefined;
  readonly isSalvage: boolean;
  readonly isPlain: boolean;
  /** A rewrite was cut short here: superblock and log are private copies, until the master completes it (then ESTALE). */
  readonly isUnfinished: boolean;

  /** Returns the mounted famfs of a device, or mounts it. The caller has one use of it, which leave() ends. */
  static on(
    device: FamfsDevice,
    { salvage = false, purpose = 'mount', plain = false, ...patience }: Mounting = {},
  ): MountedFamfs {
    const { holder } = device.dax;
    const mode = { isSalvage: salvage, isPlain: plain };
    const mounted =
      holder instanceof MountedFamfs ? holder : MountedFamfs.#mount(device, device.hold(purpose), mode);
    mustAgree(device.name, mounted, mode);
    mounted.#users++;
    mounted.#locks.allow(patience);
    return mounted;
  }

  static #mount(device: FamfsDevice, hold: DeviceHold, mode: MountMode): MountedFamfs {
    try {
      return new MountedFamfs(device, hold, mode);
    } catch (error) {
      hold.release();
      throw error;
    }
  }

  private constructor(device: FamfsDevice, hold: DeviceHold, { isSalvage, isPlain }: MountMode) {
    this.isSalvage = isSalvage;
    this.isPlain = isPlain;
    this.device = device;
    this.dax = device.dax;
    this.#hold = hold;
    this.dax.holderGet(this, this);
    try {
      const media = deviceMedia(device);
      if (!isSalvage) superblockBytes(media); // EIO when its memory has failed: nothing of it may be read then
      this.#identity = isSalvage ? null : new Identity(media);
      this.media = asRewritten(media);
      this.isUnfinished = this.media !== media;
      this.superblock = isSalvage ? salvagedSuperblock(this.media) : readSuperblock(this.media);
      this.#metadata = this.dax.physicalRanges(0, dataStart(this.superblock));
      if (!isSalvage) assertMetadataIsHealthy(this.device.name, this.dax, this.#metadata);
      const log = isSalvage
        ? Log.at(this.media, this.superblock, { pastLosses: true })
        : Log.open(this.media, this.superblock);
      const allocation = newAllocationMap(this.superblock);
      const reading = { adoptsOrphans: isSalvage, annex: !isPlain };
      this.tree = new FileTree(this.superblock, log, { allocation, ...reading });
      this.#inodes = new InodesInUse(this, () => this.#stale);
      this.#locks = new RangeLocks(this.media, () => log.nextIndex());
      this.space = new Space(new Allocator(this.superblock, allocation, { name: device.name }), this.#locks);
      this.writer = new LogWriter(this);
      this.tree.replay({ pastBadEntries: isSalvage });
      this.assertSameFileSystem();
      this.#watch = watching(this);
    } catch (error) {
      this.dax.holderPut(this);
      throw error;
    }
  }

  /** Ends the mappings of the failed bytes. Reads of them are EIO, because the device's page table records the poison. */
  notifyFailure(offset: number, length: number, flags: number): void {
    if ((flags & MF_MEM_PRE_REMOVE) !== 0) this.#die();
    else failMappings(this.dax, offset, length);
  }

  /** Adds one use. @returns a function that ends it */
  retain(): () => void {
    this.#users++;
    return () => this.leave();
  }

  /**
   * Keeps this process from using the volume while it is rewritten, and others from using the device.
   * @throws DaxError EBUSY somebody uses the volume or the device; the message names them
   */
  takeAlone(): AloneUse<MountedFamfs> {
    this.check();
    const path = this.device.name;
    const { first } = this.#inodes;
    const who = first
      ? `this process, which has ${first.path} open`
      : 'another volume or pinned view of this process';
    if (first || this.#users > 1) fail('EBUSY', `${path} is in use by ${who}: close that first`, { path });
    const release = this.#hold.takeAlone?.();
    this.#stale = new DaxError('EBUSY', `${path} is being rewritten by this process: wait for that`, {
      path,
    });
    return {
      check: () => {
        if (this.#isDead || this.#identity?.isSame() === false) throw this.#endStale();
        this.#identity?.assertSameOwner(path);
      },
      done: (isRewritten) => {
        this.#stale = undefined;
        if (release) letOthersIn(release);
        return isRewritten && !this.#isDead ? this.#renewed() : this;
      },
    };
  }

  #renewed(): MountedFamfs {
    this.#stale = staleError(this.device.name);
    this.#isDead = true;
    this.#users = Number.POSITIVE_INFINITY;
    this.#endUses();
    this.dax.holderPut(this);
    try {
      const next = MountedFamfs.#mount(this.device, this.#hold, this);
      next.#users = 1;
      return next;
    } catch (cause) {
      // The rewrite is done all the same. The next call on the volume reports why there is nothing to go on with.
      this.#stale = new DaxError('EIO', `${this.device.name} was rewritten, and could not be mounted again`, {
        cause,
      });
      return this;
    }
  }

  /** Ends one use. The last one unmounts. */
  leave(): void {
    if (--this.#users > 0) return;
    if (!this.#isDead) this.#end();
    this.dax.holderPut(this);
  }

  /**
   * Notices what happened to the device since the last call.
   * @throws DaxError ENXIO once it was disabled; ESTALE once somebody made another file system on it
   */
  check(): void {
    if (this.#stale) throw this.#stale;
    if (this.#isDead || this.device.dax !== this.dax || !this.dax.alive) {
      fail(
        'ENXIO',
        `${this.device.name} was disabled under its volume: put it into famfs mode again, then mount it`,
        { path: this.device.name, hint: 'reconfigure-famfs' },
      );
    }
    if (recentTime() - this.#lookedAt > LOOK_MS) this.assertSameFileSystem();
  }

  /**
   * Asks the memory itself whether the file system is still the one that was mounted: before anything is stored.
   * When it is not, all that this process has mapped of it ends.
   * @throws DaxError ESTALE; EIO the superblock's memory is not there any more
   */
  assertSameFileSystem(): void {
    if (this.#stale) throw this.#stale;
    this.#lookedAt = recentTime();
    if (this.#identity === null || this.#identity.isSame()) return;
    throw this.#endStale();
  }

  #endStale(): DaxError {
    this.#stale = staleError(this.device.name);
    failMappings(this.dax, 0, this.dax.size);
    return this.#stale;
  }

  /** assertSameFileSystem() for the timer, which has no caller to throw to: the next call throws instead. */
  look(): void {
    if (this.#isDead || this.#stale || !this.dax.alive) return;
    try {
      this.assertSameFileSystem();
    } catch {
      // The error is in #stale, or the next call meets it again.
    }
  }

  /**
   * Applies what others have published. One load, a compare and a question to the kernel when there is nothing.
   * @throws DaxError ESTALE when somebody made a new file system on the device, EIO the memory of the log failed or was cut
   */
  refresh(): number {
    this.check();
    if (this.isSalvage) return 0;
    assertMetadataIsHealthy(this.device.name, this.dax, this.#metadata);
    this.assertSameFileSystem();
    const { log, nextIndex } = this.tree;
    if (log.loadIndices().index === nextIndex && !this.tree.isAnnexBehind()) return 0;
    // Asked again, since the entries may be those of another log that was put there meanwhile.
    return this.#unlessStale(() => this.tree.replay());
  }

  #unlessStale<T>(read: () => T): T {
    try {
      return read();
    } finally {
      this.assertSameFileSystem();
    }
  }

  /** The map of a file, or of a log entry. @throws DaxError as FileTree.fmap(); ESTALE the log is another one by now */
  fmapOf(ino: number): Fmap {
    return this.#unlessStale(() => this.tree.fmap(ino));
  }

  fmapOfEntry(ino: number): Fmap {
    return this.#unlessStale(() => this.tree.fmapOfEntry(ino));
  }

  /**
   * Runs `act` with the log locked and replayed to its end. `act` must be short, because other writers wait.
   * @throws DaxError EROFS when another host took the file system over; EBADMSG when the log has a bad entry: appending behind it would lose the new one
   */
  session<T>(act: () => T): T {
    this.check();
    this.#catchUp.before();
    this.#locks.takeLog();
    return this.#inSession(act);
  }

  /**
   * The same, but waits for the log without blocking the event loop.
   * @throws DaxError as session()
   * @throws AbortError once the signal is aborted
   */
  async sessionLater<T>(act: () => T, signal: AbortSignal | undefined): Promise<T> {
    this.check();
    this.#catchUp.before();
    let result: { value: T } | undefined;
    await this.#locks.withLogLater(() => {
      result = { value: this.#inSession(act) };
    }, signal);
    return result!.value;
  }

  /** Called with the log locked. Unlocks it. */
  #inSession<T>(act: () => T): T {
    try {
      this.media.proveStart(dataStart(this.superblock));
      this.refresh();
      this.#identity?.assertSameOwner(this.device.name);
      const { stopped } = this.tree;
      if (stopped) refuseStopped(this.device.name, stopped);
      this.space.beginSession();
      return act();
    } finally {
      this.media.forgetProof();
      this.#locks.releaseLog();
    }
  }

  /** Called within a session after long work: superblock and log are checked again before each access. */
  doubtMemory(): void {
    this.media.forgetProof();
    this.writer.doubtMemory();
  }

  /** ENOSPC when the log has not this many slots left. Within a session. */
  assertLogRoom(entries: number): void {
    this.writer.assertRoom(entries);
  }

  /** EIO when there is no memory behind these extents: an image is shorter than its device, or its file was cut. */
  assertMemory({ extents }: Fmap): void {
    for (const { devindex, offset, length } of extents) {
      if (devindex === 0) this.media.assertBacked(offset, length);
    }
  }

  /**
   * Flushes the data of a new file before an entry names it, so that no byte of it is left in a cache that other hosts do not see.
   * @param bytes how many were stored, from the file's start; flushing lines that nobody stored to would cost as much
   */
  flushData(fmap: Fmap, bytes: number): void {
    if (!this.media.flushes) return;
    for (const { offset, length } of extentRanges(fmap, 0, bytes)) this.media.flush(offset, length);
    this.media.fence();
  }

  /**
   * Reserves a name for a file or directory that is logged later. append() of the same mount still takes it. Within a session.
   * @returns a function that gives the name back; idempotent
   * @throws DaxError EBUSY somebody else of this host keeps it
   */
  reserveName(logPath: string): () => void {
    return this.#locks.keepName(logPath);
  }

  /** @throws DaxError EBUSY somebody else of this host keeps the name. Within a session */
  assertNameIsOurs(path: string): void {
    this.#locks.refuseTakenName(path);
  }

  /**
   * Publishes one entry. Within a session.
   * @returns the inode it made
   * @throws DaxError EBUSY a mount of this host keeps the name
   */
  append(entry: NewLogEntry): number {
    if (entry.kind !== 'add_daxdev') this.assertNameIsOurs(entry.path);
    return this.writer.append(entry);
  }

  /** The inode of a file. */
  inode(ino: number): Inode {
    return this.#inodes.inode(ino);
  }

  /** An inode that the tree does not have (yet): a file in the making. */
  newInode(path: string, size: number, fmap: Fmap): Inode {
    return this.#inodes.newInode(path, size, fmap);
  }

  #die(): void {
    if (this.#isDead) return;
    this.#isDead = true;
    // The device is still there. Views end and pages are unpinned first, then everything else is released.
    failMappings(this.dax, 0, this.dax.size);
    this.#end();
  }

  #end(): void {
    this.#endUses();
    this.#hold.release();
  }

  #endUses(): void {
    clearInterval(this.#watch);
    this.#inodes.forget();
    this.#locks.close();
    this.media.close();
  }
}
