/** A look at the famfs on a device by somebody who does not use it: nothing is held, locked or stored. */
import type { DaxDevice } from '../../dax/index.js';
import { type FsckReport, fsckMedia } from '../fsck/fsck.js';
import { Allocator, dataStart, newAllocationMap } from '../media/allocator.js';
import type { Superblock } from '../media/layout.js';
import { Log } from '../media/log.js';
import type { LostRange } from '../media/media.js';
import { namelessInodes } from '../media/reclaimable.js';
import { asRewritten } from '../media/rewrite-switch.js';
import { type Role, roleOf, systemUuidIfAny } from '../media/role.js';
import { readSuperblock, superblockBytes } from '../media/superblock.js';
import { FileTree } from '../media/tree.js';
import { type DeviceMedia, deviceMedia } from './device-media.js';
import { Identity, staleError } from './identity.js';
import { assertMetadataIsHealthy } from './lost-ranges.js';
import { RangeLocks } from './range-locks.js';
import { Space, statfsOf } from './space.js';
import type { FamfsDevice, VolumeStatfs } from './types.js';

/** How many walks over all entries the answer to "what was removed?" may be old. */
const REMOVED_WALKS = 10;

interface Removed {
  readonly position: number;
  readonly inodes: ReadonlySet<number>;
  /** By the clock of performance.now(). */
  readonly validUntil: number;
}

/** A run of bytes of the device. */
export interface DeviceRange {
  readonly offset: number;
  readonly length: number;
}

/**
 * What superblock, log and annex of a device say, kept up to date by refresh(). Others may format, change or remove the device at any
 * time, since nothing keeps them from it: then refresh() throws, and a new survey has to be made. It maps no file.
 */
export class VolumeSurvey {
  readonly superblock: Superblock;
  readonly tree: FileTree;
  readonly #device: FamfsDevice;
  readonly #dax: DaxDevice;
  readonly #media: DeviceMedia;
  readonly #identity: Identity;
  readonly #allocator: Allocator;
  readonly #space: Space;
  readonly #locks: RangeLocks;
  #removed: Removed = { position: -1, inodes: new Set(), validUntil: 0 };

  /** @throws DaxError EINVAL no famfs; EBADMSG damaged; EOPNOTSUPP; EIO failed memory; ENODEV, ENXIO not in famfs mode */
  constructor(device: FamfsDevice) {
    this.#device = device;
    this.#dax = device.dax;
    const memory = deviceMedia(device);
    this.#media = memory;
    try {
      superblockBytes(memory);
      this.#identity = new Identity(memory);
      const media = asRewritten(memory);
      this.superblock = readSuperblock(media);
      this.#assertHealthy();
      const allocation = newAllocationMap(this.superblock);
      this.#allocator = new Allocator(this.superblock, allocation, { name: device.name });
      this.#locks = new RangeLocks(memory);
      this.#space = new Space(this.#allocator, this.#locks);
      this.tree = new FileTree(this.superblock, Log.open(media, this.superblock), { allocation });
      this.tree.replay();
    } catch (error) {
      memory.close();
      throw error;
    }
  }

  /** Bytes before the first one that can hold file data: superblock and log. */
  get metadataBytes(): number {
    return dataStart(this.superblock);
  }

  /** Bytes of the longest run of free units, and how many runs there are. */
  get freeRuns(): { longest: number; count: number } {
    let count = 0;
    for (const _run of this.#allocator.map.freeRuns()) count++;
    return { longest: this.#allocator.largestFreeBytes, count };
  }

  /** Whether this host owns the file system. */
  get role(): Role {
    const own = systemUuidIfAny(this.#device);
    return own === undefined ? 'client' : roleOf(this.superblock, own);
  }

  /**
   * Applies what was published since.
   * @returns how many log entries and records of the annex are new
   * @throws DaxError ESTALE formatted or rewritten; ENXIO, ENODEV the device is another one by now; EIO its memory failed or was cut
   */
  refresh(): number {
    if (this.#device.dax !== this.#dax || !this.#dax.alive || !this.#identity.isSame())
      throw staleError(this.#device.name);
    if (!this.tree.isBehind()) return 0;
    this.#assertHealthy();
    return this.tree.replay();
  }

  statfs(): VolumeStatfs {
    return statfsOf({ superblock: this.superblock, tree: this.tree, space: this.#space });
  }

  /** Space behind superblock and log that living processes of this host have locked now: files in the making, and bytes being stored. */
  *settling(): Generator<DeviceRange> {
    const start = this.metadataBytes;
    yield* this.#locks.lockedByOthers(start, this.superblock.deviceSize - start);
  }

  /**
   * Inode numbers of log entries that no name reaches any more. Finding them is a walk over all entries: in a volume that changes all the
   * time, the answer may be as old as ten such walks take.
   */
  get removed(): ReadonlySet<number> {
    const { position } = this.tree;
    const started = performance.now();
    if (this.#removed.position === position || started < this.#removed.validUntil)
      return this.#removed.inodes;
    const inodes = new Set(namelessInodes(this.tree));
    const ended = performance.now();
    this.#removed = { position, inodes, validUntil: ended + (ended - started) * REMOVED_WALKS };
    return inodes;
  }

  /** Parts of the device that cannot be read: failed pages, and bytes past the end of its file. */
  lost(): LostRange[] {
    return this.#media.lost(0, this.#media.size);
  }

  /** A private copy of bytes of the device. @throws DaxError EIO, ENXIO */
  read(offset: number, length: number): Uint8Array {
    return this.#media.bytes(offset, length).slice();
  }

  /** Checks the whole medium, which takes a while on a large one. */
  fsck(): FsckReport {
    const systemUuid = systemUuidIfAny(this.#device);
    return fsckMedia(this.#media, systemUuid === undefined ? {} : { systemUuid });
  }

  close(): void {
    this.#media.close();
  }

  #assertHealthy(): void {
    const metadata = this.#dax.physicalRanges(0, this.metadataBytes);
    assertMetadataIsHealthy(this.#device.name, this.#dax, metadata);
  }
}
