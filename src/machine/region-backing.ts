import fs from 'node:fs';
import path from 'node:path';
import { asDaxError, DaxError, fail, fallocate, hasCode } from '../libc/index.js';
import { type Backing, type BackingKind, createBacking, openBacking } from '../memory/index.js';
import { requireDevdaxMode } from './kernel/raw-access.js';
import { sizeText } from './sizes.js';

/** What machine.json says of a region's memory. */
export interface BackingRecord {
  path: string;
  kind: BackingKind;
  /** Bytes from the start of the file or device to the region's first byte. */
  offset: number;
  granule: number;
  sparse: boolean;
  /** False: other hosts whose caches do not see ours share it. */
  coherent: boolean;
  /** Made by us under regions/: removed with its region. A user's own file never is. */
  owned: boolean;
}

/**
 * A region's backing, opened at its first use: a machine lists and changes modes although a file of it is
 * gone or closed to this user, and opening a machine costs no descriptor a region.
 * Whoever then touches the memory gets the error of the file.
 */
export class RegionBacking implements Backing {
  constructor(
    readonly record: BackingRecord,
    private readonly lengthBytes: number,
    private opened?: Backing,
  ) {}

  get kind(): BackingKind {
    return this.record.kind;
  }
  get name(): string {
    return this.record.path;
  }
  get granule(): number {
    return this.record.granule;
  }
  get size(): number {
    return this.opened?.size ?? this.record.offset + this.lengthBytes;
  }
  get identity(): string {
    return this.real.identity;
  }
  get fd(): number {
    return this.real.fd;
  }
  get writable(): boolean {
    return this.real.writable;
  }
  get sharedOnly(): boolean {
    return this.record.kind === 'devdax';
  }
  get coherent(): boolean {
    return this.record.coherent;
  }
  get persistent(): boolean {
    return this.real.persistent;
  }

  checkRange(offset: number, length: number): void {
    this.real.checkRange(offset, length);
  }
  zero(offset: number, length: number): void {
    this.real.zero(offset, length);
  }
  sync(offset: number, length: number): void {
    this.real.sync(offset, length);
  }
  invalidate(offset: number, length: number): void {
    if (!this.record.coherent) this.real.invalidate(offset, length);
  }
  close(): void {
    this.opened?.close();
    this.opened = undefined;
  }

  /** A descriptor to look at locks through, for who does not use the memory: that stays as open as it was. */
  openToLook(): number {
    const name = this.opened ? `/proc/self/fd/${this.opened.fd}` : this.record.path;
    const { O_RDWR, O_RDONLY, O_NONBLOCK } = fs.constants;
    try {
      return fs.openSync(name, O_RDWR | O_NONBLOCK);
    } catch (error) {
      if (!hasCode(error, 'EACCES', 'EROFS', 'EPERM')) throw error;
      return fs.openSync(name, O_RDONLY | O_NONBLOCK);
    }
  }

  private get real(): Backing {
    this.opened ??= openForBoth(this.record.path, this.record.coherent);
    return this.opened;
  }
}

/** Opens for writing, or only for reading where that is all we may. */
function openForBoth(file: string, coherent: boolean): Backing {
  requireDevdaxMode(file);
  try {
    return openBacking(file, { writable: true, coherent });
  } catch (error) {
    if (
      error instanceof DaxError &&
      (error.code === 'EACCES' || error.code === 'EROFS' || error.code === 'EPERM')
    ) {
      return openBacking(file, { writable: false, coherent });
    }
    throw error;
  }
}

/** Makes `regions/R.mem` with all its space, so that a full disk is met now. @throws ENOSPC, nothing is left */
export function makeOwnBacking(file: string, length: number, sparse: boolean): RegionBacking {
  const backing = createBacking(file, length, { sparse });
  return new RegionBacking(recordOf(backing, file, 0, sparse, true), length, backing);
}

/**
 * Takes a user's file or dax device as backing.
 * @throws EINVAL too small or misaligned for its huge pages, ENOENT, EACCES, ENOSPC (holes cannot be filled);
 *   ENXIO a dax device that is not in devdax mode
 */
export function takeUserBacking(
  file: string,
  offset: number,
  length: number,
  { sparse, coherent }: { sparse: boolean; coherent: boolean },
): RegionBacking {
  const absolute = path.resolve(file);
  requireDevdaxMode(absolute);
  const backing = openBacking(absolute, { writable: true, coherent });
  try {
    if (offset + length > backing.size) {
      fail(
        'EINVAL',
        `${absolute} has ${sizeText(backing.size)}, too small for ${sizeText(length)} at offset ${offset}: enlarge it (truncate -s) or take a smaller size`,
        { path: absolute },
      );
    }
    if (offset % backing.granule !== 0 || length % backing.granule !== 0) {
      fail(
        'EINVAL',
        `${absolute} is mapped in pieces of ${sizeText(backing.granule)}: offset ${offset} and size ${length} must be multiples of it`,
        { path: absolute },
      );
    }
    if (!sparse && backing.kind !== 'devdax') fallocate(backing.fd, offset, length);
    return new RegionBacking(recordOf(backing, absolute, offset, sparse, false), length, backing);
  } catch (error) {
    backing.close();
    throw asDaxError(error, `${absolute} cannot back a region`, absolute);
  }
}

function recordOf(
  backing: Backing,
  file: string,
  offset: number,
  sparse: boolean,
  owned: boolean,
): BackingRecord {
  return {
    path: file,
    kind: backing.kind,
    offset,
    granule: backing.granule,
    sparse,
    coherent: backing.coherent,
    owned,
  };
}

/** Equal for two names of the same memory; undefined when there is nothing of that name. */
export function memoryIdentity(file: string): string | undefined {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (!stat) return undefined;
  return stat.isCharacterDevice() ? `device:${stat.rdev}` : `${stat.dev}:${stat.ino}`;
}
