import fs from 'node:fs';
import path from 'node:path';
import { Bus, type DaxDevice } from '../../dax/index.js';
import {
  checkSuperblock,
  decodeSuperblock,
  hasRewriteMagic,
  superblockLayout,
  superblockNumberFaults,
  systemUuid,
} from '../../famfs/index.js';
import { checkMethods, fail, flag, type LockPatience, optional, options, text } from '../../libc/index.js';
import { type Backing, openBacking, PhysicalMemory } from '../../memory/index.js';
import { PAGE_SIZE, PMD_SIZE } from '../../mm/index.js';
import { explainRefusal } from '../../tree/index.js';
import { requireDevdaxMode } from '../devdax-mode.js';
import { refuseOtherMachinesModes } from '../emulated/other-machine.js';
import { isExclusivePurpose } from '../holders.js';
import type { Hold, HoldOptions, MachineDevice } from '../types.js';
import { conflictText, MemoryUse, placeIn, type UseConflict, type UseKind } from '../use-lock.js';

/** Address of an image's memory in its private machine: the same as for an emulated machine's first region. */
const IMAGE_HPA = 2 ** 40;
const IMAGE_NAME = 'dax0.0';
/** A superblock that claims more is ignored here (fsck reports it). The limit keeps addresses far below 2^53. */
const LARGEST_DEVICE_BYTES = 2 ** 50;

interface ImageOptions extends LockPatience {
  root: string;
  writable?: boolean;
  sysfs?: string;
}

/**
 * An image file or a real /dev/daxX.Y as a device. It has a private machine that exists in memory only: one static region, with
 * fsdev_dax bound.
 * The use lock (use-lock.ts) excludes other users of the memory, including those that reach it through a machine or another name.
 */
export class ImageDevice implements MachineDevice {
  readonly dax: DaxDevice;
  readonly #memory = new PhysicalMemory();
  readonly #holds = new Set<Hold>();
  #holdsAlone = false;
  #use: MemoryUse | undefined;
  #uuid: string | undefined;
  #closed = false;
  readonly #backing: Backing;
  readonly #root: string;
  readonly #patience: LockPatience;

  private constructor(
    readonly name: string,
    backing: Backing,
    root: string,
    size: number,
    patience: LockPatience,
  ) {
    this.#backing = backing;
    this.#root = root;
    this.#patience = patience;
    const length = Math.min(backing.size, size);
    this.#memory.insert({ start: IMAGE_HPA, length: size, backing, offset: 0, zeroExtend: length < size });
    const bus = new Bus({ memory: this.#memory });
    bus.insmod('fsdev_dax');
    const align = size % PMD_SIZE === 0 ? PMD_SIZE : PAGE_SIZE;
    bus.addRegion({ type: 'device', static: true, start: IMAGE_HPA, size, align, targetNode: 0 });
    bus.newId('fsdev_dax', IMAGE_NAME);
    this.dax = bus.device(IMAGE_NAME)!.dax;
  }

  /**
   * Opens an image file or a device node.
   * @param writable default: true when this user may write the file
   * @param sysfs root of the tree that has the device of a node, default /sys
   * @throws DaxError ENOENT, EACCES, EISDIR, EINVAL (empty file, not memory); ENXIO a dax device that is not in devdax mode
   */
  static open(where: string, { root, writable, sysfs = '/sys', ...patience }: ImageOptions): ImageDevice {
    requireDevdaxMode(where, sysfs);
    const backing = openImage(where, writable, sysfs);
    try {
      return new ImageDevice(where, backing, root, deviceBytes(where, backing), patience);
    } catch (error) {
      backing.close();
      throw error;
    }
  }

  get writable(): boolean {
    return this.#backing.writable;
  }

  get systemUuid(): string {
    this.#uuid ??= systemUuid(this.#root);
    return this.#uuid;
  }

  get reservations(): string {
    return path.join(this.#root, 'volumes');
  }

  hold(purpose: string, options?: HoldOptions): Hold {
    if (this.#closed) fail('EBADF', `${this.name} was closed: open it again`, { path: this.name });
    const isExclusive = isExclusivePurpose(purpose, options);
    if (isExclusive && !this.writable) {
      fail('EACCES', `${this.name} may only be read by this user: ${purpose} needs to write it`, {
        path: this.name,
      });
    }
    // Locks of one descriptor never conflict with each other, so this object checks its own holds itself.
    if (this.#holdsAlone || (isExclusive && this.#holds.size > 0)) {
      fail('EBUSY', `${this.name} is in use by this process: close that first`, { path: this.name });
    }
    if (this.#holds.size === 0) this.#lock(isExclusive ? 'exclusive' : 'shared');
    this.#holdsAlone = isExclusive;
    const hold: Hold = { release: () => this.#release(hold), takeAlone: () => this.#takeAlone() };
    this.#holds.add(hold);
    return hold;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#use?.close();
    this.#memory.close();
    this.#backing.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #release(hold: Hold): void {
    if (!this.#holds.delete(hold) || this.#holds.size > 0) return;
    this.#holdsAlone = false;
    this.#use?.close();
    this.#use = undefined;
  }

  #takeAlone(): () => void {
    if (!this.#use || this.#holds.size > 1) {
      fail('EBUSY', `${this.name} is in use by this process: close that first`, { path: this.name });
    }
    const taken = this.#use.takeAlone('memory');
    if (typeof taken === 'function') return taken;
    const who = conflictText(taken, this.#patience);
    return fail('EBUSY', `${this.name} is in use by ${who}: let it end that first`, { path: this.name });
  }

  #lock(kind: UseKind): void {
    const bytes = { start: 0, length: this.dax.size };
    refuseOtherMachinesModes(this.#backing.name, bytes, ['kmem']);
    const use = MemoryUse.open([placeIn(this.#backing, [bytes])]);
    let conflict: UseConflict | undefined;
    try {
      conflict = use.take(kind, this.name);
    } catch (error) {
      use.close();
      throw error;
    }
    if (!conflict) {
      this.#use = use;
      return;
    }
    const who = conflictText(conflict, this.#patience);
    use.close();
    fail('EBUSY', `${this.name} is in use by ${who}: let it end that first`, { path: this.name });
  }
}

function openImage(where: string, writable: boolean | undefined, sysfs: string): Backing {
  try {
    return openBacking(where, { writable: writable ?? 'if-allowed', sysfs });
  } catch (error) {
    throw where.startsWith('/dev/') ? explainRefusal(error, where, 'opened') : error;
  }
}

/**
 * The size of the device that an image holds. This is the size in its superblock when that is larger than the file; metadata then
 * reads as zeroes beyond the end. Else it is the file's size in whole 2 MiB, or in whole pages for a file shorter than 2 MiB.
 */
function deviceBytes(where: string, backing: Backing): number {
  if (backing.kind === 'devdax') return backing.size;
  if (backing.size === 0)
    fail('EINVAL', `${where} is empty: give it its size first, with truncate(path, bytes)`, { path: where });
  const unit = backing.size >= PMD_SIZE ? PMD_SIZE : PAGE_SIZE;
  const whole = Math.max(unit, Math.floor(backing.size / unit) * unit);
  return Math.max(whole, claimedBytes(backing));
}

/** The device size that a valid superblock names, in whole pages; 0 when there is no credible superblock. */
function claimedBytes(backing: Backing): number {
  if (backing.kind === 'hugetlbfs') return 0;
  const bytes = new Uint8Array(superblockLayout.size);
  if (fs.readSync(backing.fd, bytes, 0, bytes.length, 0) < bytes.length) return 0;
  // A size that is no number is reported by the readers of the superblock. For that the device must open here.
  // A rewrite that was cut short has not changed the size.
  const isKnown = checkSuperblock(bytes).result === 0 || hasRewriteMagic(bytes);
  if (!isKnown || superblockNumberFaults(bytes).length > 0) return 0;
  const { deviceSize } = decodeSuperblock(bytes);
  return deviceSize <= LARGEST_DEVICE_BYTES ? Math.ceil(deviceSize / PAGE_SIZE) * PAGE_SIZE : 0;
}

checkMethods(ImageDevice, {
  hold: { purpose: text, options: optional(options({ exclusive: optional(flag) })) },
});
