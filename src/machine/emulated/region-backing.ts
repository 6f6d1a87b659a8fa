import fs from 'node:fs';
import path from 'node:path';
import { asDaxError, fail, hasCode, sizeText, syncDirectory } from '../../libc/index.js';
import { type Backing, type BackingKind, createBacking, openBacking } from '../../memory/index.js';
import { requireDevdaxMode } from '../devdax-mode.js';
import { draftOf, ownMemoryName, ownMemoryPath, refuseStranger } from './own-memory.js';
import { makeRamMemory, ramMemoryPath, strangerInPlace } from './ram-memory.js';

/** What machine.json says about a region's memory. */
export interface BackingRecord {
  /** Relative to the state directory for own memory (`regions/0.mem`), absolute for a user's file. */
  path: string;
  kind: BackingKind;
  /** Bytes from the start of the file or device to the region's first byte. */
  offset: number;
  granule: number;
  sparse: boolean;
  /** False: hosts whose caches are not coherent with this host's share the memory. */
  coherent: boolean;
  /** True for memory that udax made (own-memory.ts): it is removed with its region. A user's own file never is. */
  owned: boolean;
  /** Memory that udax made in /dev/shm (ram-memory.ts), removed with its region. To an older udax it is a user's own file. */
  ram?: true;
}

/** Whether the memory is udax's own, and goes with its region. */
export function goesWithRegion({ owned, ram }: BackingRecord): boolean {
  return owned || ram === true;
}

/**
 * A region's backing, opened at its first use. So opening a machine costs no descriptor per region, and the machine can be listed
 * and its modes changed while a backing file is missing or closed to this user. Whoever then uses the memory gets the file's
 * error.
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

  /** The file's current path. */
  get path(): string {
    if (this.record.ram) return ramMemoryPath(this.#root, this.record.path);
    return this.record.owned ? ownMemoryPath(this.#root, this.record.path) : this.record.path;
  }

  /** Why the memory cannot be used, for callers that only look; null when it can be used. */
  get problem(): string | null {
    let stat: fs.Stats | undefined;
    try {
      const look = this.record.ram ? fs.lstatSync : fs.statSync;
      stat = look(this.path, { throwIfNoEntry: false });
    } catch (error) {
      return `its file cannot be looked at (${(error as Error).message})`;
    }
    if (!stat) return this.record.ram ? LOST_RAM : 'its file is not there';
    const stranger = this.record.ram ? strangerInPlace(this.#root, stat) : null;
    if (stranger !== null) return stranger;
    if (!stat.isFile()) return stat.isCharacterDevice() ? null : 'it is no file';
    const needed = this.record.offset + this.#lengthBytes;
    return stat.size < needed ? `its file has ${stat.size} bytes of ${needed}` : null;
  }

  get kind(): BackingKind {
    return this.record.kind;
  }
  get name(): string {
    return this.record.owned ? path.join(this.#root, this.record.path) : this.path;
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

  /** Opens a descriptor for looking at locks only. It does not open the backing itself. */
  openToLook(): number {
    const name = this.#opened ? `/proc/self/fd/${this.#opened.fd}` : this.path;
    const { O_RDWR, O_RDONLY, O_NONBLOCK, O_NOFOLLOW } = fs.constants;
    const flags = O_NONBLOCK | (this.record.ram && !this.#opened ? O_NOFOLLOW : 0);
    try {
      return fs.openSync(name, O_RDWR | flags);
    } catch (error) {
      if (!hasCode(error, 'EACCES', 'EROFS', 'EPERM')) throw error;
      return fs.openSync(name, O_RDONLY | flags);
    }
  }

  get #real(): Backing {
    this.#opened ??= this.#open();
    return this.#opened;
  }

  /** @throws DaxError ENXIO the memory is gone, or another user's file or a link has its name */
  #openRam(): Backing {
    const { path: file, problem } = this;
    const refuse = (why: string): never =>
      fail('ENXIO', `${file}: ${why}: destroy the region and make it anew`, { path: file });
    if (problem !== null) refuse(problem);
    const backing = openBacking(file, { writable: 'if-allowed', noFollow: true });
    // Asked again of what is open: the name may have been given to another file meanwhile.
    const stranger = strangerInPlace(this.#root, fs.fstatSync(backing.fd));
    if (stranger === null) return backing;
    backing.close();
    return refuse(stranger);
  }

  #open(): Backing {
    if (this.record.ram) return this.#openRam();
    try {
      requireDevdaxMode(this.path);
      return openBacking(this.path, { writable: 'if-allowed', coherent: this.record.coherent });
    } catch (error) {
      const { path: file, problem } = this;
      // An empty file is no wrong argument here: it once had the region's memory.
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

const LOST_RAM =
  'its memory in /dev/shm is gone (the host was restarted, or this state directory is a copy or was moved to another file system)';

/**
 * Makes the memory of a region in /dev/shm, and allocates all its space.
 * @throws DaxError ENOSPC and others, and nothing is left
 */
export function makeRamBacking(root: string, size: number, mode: number): RegionBacking {
  const backing = makeRamMemory(root, size, mode);
  const record = { ...recordOf(backing, backing.name, 0, false, false), ram: true as const };
  return new RegionBacking(record, size, root, backing);
}

/**
 * Makes the memory of region R and allocates all its space, so that a full disk shows now. The file has the `.new` mark until
 * machine.json names it.
 * @throws DaxError ENOSPC, and nothing is left; EEXIST a file of that name that no region uses
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
  // The file and its name are on the disk before machine.json names it.
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
 * @throws DaxError EINVAL too small or misaligned for its huge pages, ENOENT, EACCES, ENOSPC (holes cannot be filled); ENXIO a
 *   dax device that is not in devdax mode
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

/**
 * Reserves space for every byte of a user's file. Where the file system cannot, the user has to write the file full: udax must
 * not, since the file may be in use.
 */
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
