import fs from 'node:fs';
import path from 'node:path';
import { asDaxError, fail, hasCode, sizeText, syncDirectory } from '../../libc/index.js';
import { type Backing, type BackingKind, createBacking, openBacking } from '../../memory/index.js';
import { requireDevdaxMode } from '../devdax-mode.js';
import { draftOf, ownMemoryName, ownMemoryPath, refuseStranger } from './own-memory.js';

/** What machine.json says of a region's memory. */
export interface BackingRecord {
  /** Of our own memory: relative to the state directory (`regions/0.mem`). Of a user's: absolute. */
  path: string;
  kind: BackingKind;
  /** Bytes from the start of the file or device to the region's first byte. */
  offset: number;
  granule: number;
  sparse: boolean;
  /** False: other hosts whose caches do not see ours share it. */
  coherent: boolean;
  /** Made by us (own-memory.ts): removed with its region. A user's own file never is. */
  owned: boolean;
}

/**
 * A region's backing, opened at its first use: a machine lists and changes modes although a file of it is
 * gone or closed to this user, and opening a machine costs no descriptor a region.
 * Whoever then touches the memory gets the error of the file.
 */
export class RegionBacking implements Backing {
  readonly #lengthBytes: number;
  readonly #root: string;
  #opened: Backing | undefined;

  constructor(
    readonly record: BackingRecord,
    lengthBytes: number,
    root: string,
    opened?: Backing,
  ) {
    this.#lengthBytes = lengthBytes;
    this.#root = root;
    this.#opened = opened;
  }

  /** Where it is now. */
  get path(): string {
    return this.record.owned ? ownMemoryPath(this.#root, this.record.path) : this.record.path;
  }

  /** Why the memory cannot be used, for those who only look; null when it is there. */
  get problem(): string | null {
    let stat: fs.Stats | undefined;
    try {
      stat = fs.statSync(this.path, { throwIfNoEntry: false });
    } catch (error) {
      return `its file cannot be looked at (${(error as Error).message})`;
    }
    if (!stat) return 'its file is not there';
    if (!stat.isFile()) return stat.isCharacterDevice() ? null : 'it is no file';
    const needed = this.record.offset + this.#lengthBytes;
    return stat.size < needed ? `its file has ${stat.size} bytes of ${needed}` : null;
  }

  get kind(): BackingKind {
    return this.record.kind;
  }
  get name(): string {
    return this.record.owned ? path.join(this.#root, this.record.path) : this.record.path;
  }
  get granule(): number {
    return this.record.granule;
  }
  get size(): number {
    return this.#opened?.size ?? this.record.offset + this.#lengthBytes;
  }
  get identity(): string {
    return this.#real.identity;
  }
  get fd(): number {
    return this.#real.fd;
  }
  get writable(): boolean {
    return this.#real.writable;
  }
  get sharedOnly(): boolean {
    return this.record.kind === 'devdax';
  }
  get coherent(): boolean {
    return this.record.coherent;
  }
  get persistent(): boolean {
    return this.#real.persistent;
  }
  get canShrink(): boolean {
    return this.record.kind !== 'devdax';
  }
  get isSparse(): boolean {
    return this.#real.isSparse;
  }

  checkRange(offset: number, length: number): void {
    this.#real.checkRange(offset, length);
  }
  endNow(): number {
    return this.#real.endNow();
  }
  ensure(offset: number, length: number, access?: 'store' | 'load'): boolean {
    return this.#real.ensure(offset, length, access);
  }
  zero(offset: number, length: number): void {
    this.#real.zero(offset, length);
  }
  sync(offset: number, length: number): void {
    this.#real.sync(offset, length);
  }
  invalidate(offset: number, length: number): void {
    if (!this.record.coherent) this.#real.invalidate(offset, length);
  }
  close(): void {
    this.#opened?.close();
    this.#opened = undefined;
  }

  /** A descriptor to look at locks through, for who does not use the memory: that stays as open as it was. */
  openToLook(): number {
    const name = this.#opened ? `/proc/self/fd/${this.#opened.fd}` : this.path;
    const { O_RDWR, O_RDONLY, O_NONBLOCK } = fs.constants;
    try {
      return fs.openSync(name, O_RDWR | O_NONBLOCK);
    } catch (error) {
      if (!hasCode(error, 'EACCES', 'EROFS', 'EPERM')) throw error;
      return fs.openSync(name, O_RDONLY | O_NONBLOCK);
    }
  }

  get #real(): Backing {
    this.#opened ??= this.#open();
    return this.#opened;
  }

  #open(): Backing {
    try {
      requireDevdaxMode(this.path);
      return openBacking(this.path, { writable: 'if-allowed', coherent: this.record.coherent });
    } catch (error) {
      const { path: file, problem } = this;
      // An empty file is no wrong argument here: it had the region's memory once.
      if (!hasCode(error, 'EINVAL') || problem === null) throw error;
      return fail(
        'EIO',
        `${file}: ${problem}, what was in it is lost: restore it from a backup, or destroy the region`,
        {
          path: file,
          cause: error,
        },
      );
    }
  }
}

/**
 * Makes the memory of region R with all its space, so that a full disk is met now. It has its name when machine.json has.
 * @throws DaxError ENOSPC, nothing is left; EEXIST a file of that name that no region is on
 */
export function makeOwnBacking(
  root: string,
  region: number,
  { size, sparse, mode }: { size: number; sparse: boolean; mode: number },
): RegionBacking {
  const name = ownMemoryName(region);
  refuseStranger(root, name);
  const file = draftOf(root, name);
  const backing = createBacking(file, size, { sparse, mode });
  // On the disk, with its name, before machine.json says that it is there.
  try {
    fs.fsyncSync(backing.fd);
    syncDirectory(path.dirname(file));
  } catch (error) {
    backing.close();
    fs.rmSync(file, { force: true });
    throw asDaxError(error, `${file} cannot be made durable`, file);
  }
  return new RegionBacking(recordOf(backing, name, 0, sparse, true), size, root, backing);
}

/**
 * Takes a user's file or dax device as backing.
 * @throws DaxError EINVAL too small or misaligned for its huge pages, ENOENT, EACCES, ENOSPC (holes cannot be filled);
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
        `${absolute} has ${sizeText(backing.size)}, too small for ${sizeText(length)} at offset ${offset}: enlarge it or take a smaller size`,
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
    if (!sparse && backing.kind !== 'devdax') takeSpace(backing, offset, length);
    return new RegionBacking(recordOf(backing, absolute, offset, sparse, false), length, '', backing);
  } catch (error) {
    backing.close();
    throw asDaxError(error, `${absolute} cannot back a region`, absolute);
  }
}

/** Every byte of a user's file has its space. Where that cannot be reserved, the user writes it: the file may be in use. */
function takeSpace(backing: Backing, offset: number, length: number): void {
  if (backing.ensure(offset, length) || !backing.isSparse) return;
  fail(
    'EOPNOTSUPP',
    `${backing.name}: its file system cannot reserve space for it: write the file full first, or take it with its holes ` +
      '({ sparse: true }) and keep enough space free there: a store that finds none ends the process',
    { path: backing.name, hint: 'sparse' },
  );
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
