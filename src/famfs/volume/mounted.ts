import { type DaxDevice, type HolderOperations, MF_MEM_PRE_REMOVE } from '../../dax/index.js';
import { ensureMemory, failMappings } from '../../fsdax/index.js';
import { fail, hasCode } from '../../libc/index.js';
import type { PhysicalRange } from '../../memory/index.js';
import { PAGE_SIZE } from '../../mm/index.js';
import { Allocator, dataStart, newAllocationMap } from '../media/allocator.js';
import { LogAppender } from '../media/append.js';
import type { NewLogEntry } from '../media/entry.js';
import type { Fmap } from '../media/fmap.js';
import { type Superblock, slotOffset, superblockLayout } from '../media/layout.js';
import { Log } from '../media/log.js';
import { readSuperblock } from '../media/superblock.js';
import { FileTree } from '../media/tree.js';
import { backingRanges, type DeviceMedia, deviceMedia, physicalRanges } from './device-media.js';
import { Inode } from './inode.js';
import { RangeLocks } from './range-locks.js';
import { Space } from './space.js';
import type { FamfsDevice } from './types.js';

const LOG_STEP_BYTES = 2 ** 20;

/**
 * A famfs that this process has mounted: what all its volumes on one device share (the kernel's super
 * block). It is the dax device's holder. Lives from the first mount to the last close, or until the device
 * is disabled under it: then it is dead, and says so at every call.
 */
export class MountedFamfs implements HolderOperations {
  readonly device: FamfsDevice;
  readonly dax: DaxDevice;
  readonly media: DeviceMedia;
  readonly superblock: Superblock;
  readonly tree: FileTree;
  readonly space: Space;
  readonly #appender: LogAppender;
  readonly #hold: { release(): void };
  readonly #superblockWords: Uint32Array;
  readonly #identity: Uint32Array;
  /** Where superblock and log lie. */
  readonly #metadata: readonly PhysicalRange[];
  readonly #inodes = new Map<number, Inode>();
  readonly #locks: RangeLocks;
  /** Bytes of the log, from its start, up to where the next stores find memory. */
  #logMemoryEnd = 0;
  #users = 0;
  #isDead = false;
  #isWhole: boolean | undefined;

  /** The mounted famfs of a device, made when there is none. One use; leave() ends it. */
  static on(device: FamfsDevice): MountedFamfs {
    const { holder } = device.dax;
    const mounted = holder instanceof MountedFamfs ? holder : MountedFamfs.#mount(device);
    mounted.#users++;
    return mounted;
  }

  static #mount(device: FamfsDevice): MountedFamfs {
    const hold = device.hold('mount');
    try {
      return new MountedFamfs(device, hold);
    } catch (error) {
      hold.release();
      throw error;
    }
  }

  private constructor(device: FamfsDevice, hold: { release(): void }) {
    this.device = device;
    this.dax = device.dax;
    this.#hold = hold;
    this.dax.holderGet(this, this);
    try {
      this.media = deviceMedia(device);
      this.superblock = readSuperblock(this.media);
      const log = Log.open(this.media, this.superblock);
      this.#metadata = physicalRanges(this.dax, 0, dataStart(this.superblock));
      this.#assertMetadataIsHealthy();
      const allocation = newAllocationMap(this.superblock);
      this.tree = new FileTree(this.superblock, log, { allocation });
      this.#locks = new RangeLocks(this.media);
      this.space = new Space(new Allocator(this.superblock, allocation, { name: device.name }), this.#locks);
      this.#appender = new LogAppender(log);
      const bytes = this.media.bytes(0, superblockLayout.size);
      this.#superblockWords = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
      this.#identity = this.#superblockWords.slice();
      this.tree.replay();
    } catch (error) {
      this.dax.holderPut(this);
      throw error;
    }
  }

  /** Mappings of the failed bytes end; the device's page table knows the poison, so reads of them are EIO. */
  notifyFailure(offset: number, length: number, flags: number): void {
    if ((flags & MF_MEM_PRE_REMOVE) !== 0) this.#die();
    else failMappings(this.dax, offset, length);
  }

  /** One more use. @returns what ends it */
  retain(): () => void {
    this.#users++;
    return () => this.leave();
  }

  /** Ends one use; the last one unmounts. */
  leave(): void {
    if (--this.#users > 0) return;
    if (!this.#isDead) this.#end();
    this.dax.holderPut(this);
  }

  /**
   * Notices what happened to the device since the last call.
   * @throws DaxError ENXIO once it was disabled
   */
  check(): void {
    if (!this.#isDead && this.device.dax === this.dax && this.dax.alive) return;
    fail('ENXIO', `${this.device.name} was disabled under its volume: enable it, then mount again`, {
      path: this.device.name,
    });
  }

  /**
   * Applies what others have published. One load and a compare when there is nothing.
   * @throws DaxError ESTALE when somebody made a new file system on the device
   */
  refresh(): number {
    this.check();
    this.#assertMetadataIsHealthy();
    this.#assertSameFileSystem();
    return this.tree.replay();
  }

  /** Files are read from what was replayed; nothing is believed or written where the log's memory has failed. */
  #assertMetadataIsHealthy(): void {
    for (const { start, length } of this.#metadata) {
      const pfn = this.dax.pages.firstPoisoned(start / PAGE_SIZE, Math.ceil(length / PAGE_SIZE));
      if (pfn < 0) continue;
      fail(
        'EIO',
        `memory of the superblock or log of ${this.device.name} has failed (page at physical address ${pfn * PAGE_SIZE}): ` +
          'copy the files out, udax mkfs -f, copy them in',
        { path: this.device.name },
      );
    }
  }

  #isAsMounted({ offset, size }: { offset: number; size: number }): boolean {
    for (let word = offset / 4; word < (offset + size) / 4; word++) {
      if (this.#superblockWords[word] !== this.#identity[word]) return false;
    }
    return true;
  }

  #assertSameFileSystem(): void {
    const { uuid, magic } = superblockLayout.fields;
    this.media.invalidate(0, superblockLayout.size);
    if (this.#isAsMounted(magic) && this.#isAsMounted(uuid)) return;
    fail(
      'ESTALE',
      `${this.device.name} was formatted anew while it was mounted: close the volume and mount it again`,
      {
        path: this.device.name,
      },
    );
  }

  /** A master that slept through a take-over must not write beside the new one. */
  #assertSameOwner(): void {
    if (this.#isAsMounted(superblockLayout.fields.systemUuid)) return;
    fail(
      'EROFS',
      `${this.device.name} was taken over by another host while it was mounted: this host is a client of it now; mount it again to read it`,
      { path: this.device.name },
    );
  }

  /**
   * Runs `act` while the log is ours alone and replayed to its end. Short: other writers wait.
   * @throws DaxError EROFS when another host took the file system over; EBADMSG when the log has a bad entry: appending behind it would lose the new one
   */
  session<T>(act: () => T): T {
    this.check();
    this.#locks.takeLog();
    try {
      this.refresh();
      this.#assertSameOwner();
      const { stopped } = this.tree;
      if (stopped) {
        fail(
          'EBADMSG',
          `${this.device.name}: ${stopped.message}; nothing can be added behind a damaged entry: copy the files out, ` +
            'udax mkfs -f, copy them in',
          { path: this.device.name },
        );
      }
      this.space.beginSession();
      return act();
    } finally {
      this.#locks.releaseLog();
    }
  }

  /** ENOSPC when the log has not this many slots left. Within a session. */
  assertLogRoom(entries: number): void {
    this.#appender.assertRoom(entries);
  }

  /** EIO when there is no memory behind these extents: the image is shorter than its device. */
  assertMemory({ extents }: Fmap): void {
    this.#isWhole ??= this.#hasMemory(0, this.dax.size);
    if (this.#isWhole) return;
    for (const { offset, length } of extents) this.#checkMemory(offset, length);
  }

  #hasMemory(offset: number, length: number): boolean {
    try {
      this.#checkMemory(offset, length);
      return true;
    } catch (error) {
      if (!hasCode(error, 'EIO')) throw error;
      return false;
    }
  }

  #checkMemory(offset: number, length: number): void {
    for (const piece of backingRanges(this.dax, offset, length))
      piece.backing.checkRange(piece.offset, piece.length);
  }

  /** The log of a sparse image gets its space in steps, before a store would need it (a full disk is ENOSPC, not SIGBUS). */
  #ensureLogMemory(): void {
    const { log, nextIndex } = this.tree;
    const end = Math.min(log.length, slotOffset(nextIndex + 1));
    if (end <= this.#logMemoryEnd) return;
    const from = slotOffset(nextIndex) - (slotOffset(nextIndex) % LOG_STEP_BYTES);
    const to = Math.min(log.length, Math.ceil(end / LOG_STEP_BYTES) * LOG_STEP_BYTES);
    const header = physicalRanges(this.dax, log.offset, PAGE_SIZE);
    for (const { start, length } of [...header, ...physicalRanges(this.dax, log.offset + from, to - from)]) {
      ensureMemory(this.dax.memory, start, length);
    }
    this.#logMemoryEnd = to;
  }

  /** Makes data that was stored ready to be named by an entry: nothing of it is in a cache that others do not see. */
  flushData({ extents }: Fmap): void {
    for (const { offset, length } of extents) this.media.flush(offset, length);
    this.media.fence();
  }

  /** Publishes one entry. Within a session. */
  append(entry: NewLogEntry): void {
    this.#ensureLogMemory();
    this.#appender.append(entry);
    this.tree.replay();
  }

  /** The inode of a file: the one that is open, else one that is remembered once it is opened. */
  inode(ino: number): Inode {
    const known = this.#inodes.get(ino);
    if (known) return known;
    const { size } = this.tree.stat(ino);
    const fmap = () => this.tree.fmap(ino);
    const inode: Inode = this.newInode(`/${this.tree.pathOf(ino)}`, size, fmap, (isUsed) => {
      if (isUsed) this.#inodes.set(ino, inode);
      else this.#inodes.delete(ino);
    });
    return inode;
  }

  /** An inode that the tree does not have (yet): a file in the making. */
  newInode(path: string, size: number, fmap: Fmap | (() => Fmap), onUsed?: (isUsed: boolean) => void): Inode {
    return new Inode(this.dax, {
      path,
      size,
      fmap,
      shared: (this.tree.usage?.collisions ?? 0) > 0,
      foreignDevice: (devindex) => this.#describeDevice(devindex),
      ...(onUsed && { onUsed }),
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
    // The device is still there: take the views away and unpin, then let go of the rest.
    failMappings(this.dax, 0, this.dax.size);
    this.#end();
  }

  #end(): void {
    for (const inode of this.#inodes.values()) inode.dax.forget();
    this.#inodes.clear();
    this.#locks.close();
    this.media.close();
    this.#hold.release();
  }
}
