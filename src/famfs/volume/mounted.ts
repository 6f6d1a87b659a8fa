import { type DaxDevice, type HolderOperations, MF_MEM_PRE_REMOVE } from '../../dax/index.js';
import { failMappings } from '../../fsdax/index.js';
import { DaxError, fail, type LockPatience } from '../../libc/index.js';
import type { PhysicalRange } from '../../memory/index.js';
import { Allocator, dataStart, newAllocationMap } from '../media/allocator.js';
import { LogAppender } from '../media/append.js';
import type { NewLogEntry } from '../media/entry.js';
import { extentRanges, type Fmap } from '../media/fmap.js';
import { type Superblock, superblockLayout } from '../media/layout.js';
import { Log } from '../media/log.js';
import { salvagedSuperblock } from '../media/salvage.js';
import { readSuperblock } from '../media/superblock.js';
import { FileTree, inodeOfEntry } from '../media/tree.js';
import { backingRanges, type DeviceMedia, deviceMedia } from './device-media.js';
import { Inode, type InodeOptions } from './inode.js';
import { LogMemory } from './log-memory.js';
import { assertMetadataIsHealthy } from './lost-ranges.js';
import { RangeLocks } from './range-locks.js';
import { Space } from './space.js';
import type { FamfsDevice, MountOptions } from './types.js';
import { watching } from './watching.js';

/** Milliseconds for which an answer to "is this still the file system that was mounted?" is used. */
const LOOK_MS = 2;

/**
 * A famfs that this process has mounted (the kernel's super block). All volumes of the process on one device share it. It is the holder of
 * the dax device. It lives from the first mount to the last close, or until the device is disabled: then every call fails.
 */
export class MountedFamfs implements HolderOperations {
  readonly device: FamfsDevice;
  readonly dax: DaxDevice;
  readonly media: DeviceMedia;
  readonly superblock: Superblock;
  readonly tree: FileTree;
  readonly space: Space;
  readonly #appender: LogAppender;
  readonly #logMemory: LogMemory;
  readonly #hold: { release(): void };
  readonly #superblockWords: Uint32Array;
  readonly #identity: Uint32Array;
  /** Where superblock and log lie. */
  readonly #metadata: readonly PhysicalRange[];
  /** The inodes in use, by number. */
  readonly #inodes = new Map<number, Inode>();
  readonly #locks: RangeLocks;
  #users = 0;
  #isDead = false;
  #isDoubted = false;
  #lookedAt = 0;
  /** Set once another file system was made on the device. Every call throws it. */
  #stale: DaxError | undefined;
  #watch: NodeJS.Timeout | undefined;
  /** The log was read as far as possible: lost parts are skipped, and later entries are never read. */
  readonly isSalvage: boolean;

  /** Returns the mounted famfs of a device, or mounts it. The caller has one use of it, which leave() ends. */
  static on(
    device: FamfsDevice,
    {
      salvage = false,
      purpose = 'mount',
      ...patience
    }: Pick<MountOptions, 'salvage' | 'purpose'> & LockPatience = {},
  ): MountedFamfs {
    const { holder } = device.dax;
    const mounted = holder instanceof MountedFamfs ? holder : MountedFamfs.#mount(device, salvage, purpose);
    if (mounted.isSalvage && !salvage) {
      fail(
        'EBUSY',
        `${device.name} is mounted by this process to salvage what is left of it: close that first`,
        {
          path: device.name,
        },
      );
    }
    mounted.#users++;
    mounted.#locks.allow(patience);
    return mounted;
  }

  static #mount(device: FamfsDevice, salvage: boolean, purpose: string): MountedFamfs {
    const hold = device.hold(purpose);
    try {
      return new MountedFamfs(device, hold, salvage);
    } catch (error) {
      hold.release();
      throw error;
    }
  }

  private constructor(device: FamfsDevice, hold: { release(): void }, isSalvage: boolean) {
    this.isSalvage = isSalvage;
    this.device = device;
    this.dax = device.dax;
    this.#hold = hold;
    this.dax.holderGet(this, this);
    try {
      this.media = deviceMedia(device);
      this.superblock = isSalvage ? salvagedSuperblock(this.media) : readSuperblock(this.media);
      this.#metadata = this.dax.physicalRanges(0, dataStart(this.superblock));
      if (!isSalvage) assertMetadataIsHealthy(this.device.name, this.dax, this.#metadata);
      const log = isSalvage
        ? Log.at(this.media, this.superblock, { pastLosses: true })
        : Log.open(this.media, this.superblock);
      const allocation = newAllocationMap(this.superblock);
      this.tree = new FileTree(this.superblock, log, { allocation, adoptsOrphans: isSalvage });
      this.#locks = new RangeLocks(this.media);
      this.space = new Space(new Allocator(this.superblock, allocation, { name: device.name }), this.#locks);
      this.#appender = new LogAppender(log);
      this.#logMemory = new LogMemory(log, this.dax);
      const bytes = this.media.view(0, superblockLayout.size);
      this.#superblockWords = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
      this.#identity = isSalvage ? new Uint32Array() : this.#superblockWords.slice();
      this.tree.replay({ pastBadEntries: isSalvage });
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
    if (this.#isDead || this.device.dax !== this.dax || !this.dax.alive) {
      fail(
        'ENXIO',
        `${this.device.name} was disabled under its volume: put it into famfs mode again, then mount it`,
        { path: this.device.name, hint: 'reconfigure-famfs' },
      );
    }
    if (this.#stale) throw this.#stale;
    if (Date.now() - this.#lookedAt > LOOK_MS) this.assertSameFileSystem();
  }

  /**
   * Asks the memory itself whether the file system is still the one that was mounted: before anything is stored.
   * When it is not, all that this process has mapped of it ends.
   * @throws DaxError ESTALE; EIO the superblock's memory is not there any more
   */
  assertSameFileSystem(): void {
    if (this.#stale) throw this.#stale;
    this.#lookedAt = Date.now();
    if (this.isSalvage) return;
    const { uuid, magic } = superblockLayout.fields;
    this.media.assertThere(0, superblockLayout.size);
    this.media.invalidate(0, superblockLayout.size);
    if (this.#isAsMounted(magic) && this.#isAsMounted(uuid)) return;
    this.#stale = new DaxError(
      'ESTALE',
      `${this.device.name} was formatted anew while it was mounted: close the volume and mount it again`,
      { path: this.device.name },
    );
    failMappings(this.dax, 0, this.dax.size);
    throw this.#stale;
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
    return log.loadIndices().index === nextIndex ? 0 : this.tree.replay();
  }

  #isAsMounted({ offset, size }: { offset: number; size: number }): boolean {
    for (let word = offset / 4; word < (offset + size) / 4; word++) {
      if (this.#superblockWords[word] !== this.#identity[word]) return false;
    }
    return true;
  }

  /** A master that was stopped during a take-over must not write beside the new master. */
  #assertSameOwner(): void {
    if (this.#isAsMounted(superblockLayout.fields.systemUuid)) return;
    fail(
      'EROFS',
      `${this.device.name} was taken over by another host while it was mounted: this host is a client of it now; mount it again to read it`,
      { path: this.device.name },
    );
  }

  /**
   * Runs `act` with the log locked and replayed to its end. `act` must be short, because other writers wait.
   * @throws DaxError EROFS when another host took the file system over; EBADMSG when the log has a bad entry: appending behind it would lose the new one
   */
  session<T>(act: () => T): T {
    this.check();
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
      this.#assertSameOwner();
      const { stopped } = this.tree;
      if (stopped) {
        fail(
          'EBADMSG',
          `${this.device.name}: ${stopped.message}; nothing can be added behind a damaged entry: copy the files out, ` +
            'mkfs(device, { force: true }), copy them in',
          { path: this.device.name, hint: 'mkfs-anew' },
        );
      }
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
    this.#isDoubted = true;
  }

  /** ENOSPC when the log has not this many slots left. Within a session. */
  assertLogRoom(entries: number): void {
    this.#appender.assertRoom(entries);
  }

  /** EIO when there is no memory behind these extents: the image is shorter than its device, or its file was cut. */
  assertMemory({ extents }: Fmap): void {
    for (const { devindex, offset, length } of extents) {
      if (devindex !== 0) continue;
      for (const piece of backingRanges(this.dax, offset, length)) {
        // Asking a device costs a file of sysfs.
        if (piece.backing.canShrink) piece.backing.checkRange(piece.offset, piece.length);
      }
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
    if (!this.#locks.takeName(logPath)) this.#refuseName(logPath);
    let isHeld = true;
    return () => {
      if (isHeld) this.#locks.releaseName(logPath);
      isHeld = false;
    };
  }

  #refuseName(logPath: string): never {
    return fail(
      'EBUSY',
      `/${logPath} is being made by ${this.#locks.nameHolderText(logPath)} (it appears when it is whole): choose another name, or wait`,
      { path: `/${logPath}` },
    );
  }

  /**
   * Publishes one entry. Within a session.
   * @returns the inode it made
   * @throws DaxError EBUSY a mount of this host keeps the name
   */
  append(entry: NewLogEntry): number {
    if (entry.kind !== 'add_daxdev' && this.#locks.isNameTaken(entry.path)) this.#refuseName(entry.path);
    // Checked before the append: once the entry is in the log, no error may say that it is not.
    if (this.#isDoubted) this.media.proveStart(dataStart(this.superblock));
    this.#isDoubted = false;
    this.#logMemory.ensureFor(this.tree.nextIndex);
    const index = this.#appender.append(entry);
    this.tree.replay();
    return inodeOfEntry(index);
  }

  /** The inode of a file: the one that is in use, else a new one, which is remembered from its first use on. */
  inode(ino: number): Inode {
    const known = this.#inodes.get(ino);
    if (known) return known;
    const { size } = this.tree.stat(ino);
    const path = `/${this.tree.pathOf(ino)}`;
    const fmap = (): Fmap => {
      const found = this.tree.fmap(ino);
      this.device.reach?.(found, { path, size });
      return found;
    };
    return this.newInode(path, size, fmap, {
      first: (inode) => {
        const first = this.#inodes.get(ino) ?? inode;
        this.#inodes.set(ino, first);
        return first;
      },
      unused: () => this.#inodes.delete(ino),
    });
  }

  /** An inode that the tree does not have (yet): a file in the making. */
  newInode(
    path: string,
    size: number,
    fmap: Fmap | (() => Fmap),
    uses: Pick<InodeOptions, 'first' | 'unused'> = {},
  ): Inode {
    return new Inode(this.dax, {
      path,
      deviceName: this.device.name,
      size,
      fmap,
      shared: (this.tree.usage?.collisions ?? 0) > 0,
      foreignDevice: (devindex) => this.#describeDevice(devindex),
      loss: () => this.#stale,
      ...uses,
    });
  }

  #describeDevice(devindex: number): string {
    const daxdev = this.tree.devices.get(devindex);
    return daxdev
      ? `device ${devindex} (uuid ${daxdev.uuid})`
      : `device ${devindex}, which no log entry names`;
  }

  #die(): void {
    if (this.#isDead) return;
    this.#isDead = true;
    // The device is still there. Views end and pages are unpinned first, then everything else is released.
    failMappings(this.dax, 0, this.dax.size);
    this.#end();
  }

  #end(): void {
    clearInterval(this.#watch);
    for (const inode of this.#inodes.values()) inode.forget();
    this.#inodes.clear();
    this.#locks.close();
    this.media.close();
    this.#hold.release();
  }
}
