/** Whose each allocation unit of a volume is: four bytes a unit, filled from the log entry by entry. */
import type { FileTree, VolumeSurvey } from '../../famfs/index.js';
import { fail, isError } from '../../libc/index.js';

/** 64 TiB in units of 2 MiB, which takes 128 MiB here. */
const MOST_UNITS = 2 ** 25;
const NOBODY = 0;
/** Superblock and log. */
export const METADATA = -1;
/** Of several files (clones). */
export const SHARED = -2;

/** The inode number of the file that log entry `index` made. */
const inodeOf = (index: number): number => index + 2;

export class UnitMap {
  readonly unitBytes: number;
  readonly #owners: Int32Array;
  readonly #tree: FileTree;
  #seen = 0;
  #filesInPieces = 0;

  /** @throws DaxError EFBIG the device has more units than this can show */
  constructor(survey: VolumeSurvey) {
    const { deviceSize, allocUnit } = survey.superblock;
    const units = Math.ceil(deviceSize / allocUnit);
    if (units > MOST_UNITS)
      fail('EFBIG', `a device of ${units} units is more than the memory map can show (${MOST_UNITS})`);
    this.unitBytes = allocUnit;
    this.#tree = survey.tree;
    this.#owners = new Int32Array(units);
    this.#owners.fill(METADATA, 0, survey.metadataBytes / allocUnit);
  }

  get units(): number {
    return this.#owners.length;
  }

  /** Files that have more than one extent, stripes not counted. */
  get filesInPieces(): number {
    return this.#filesInPieces;
  }

  /** Adds what was replayed since the last call. */
  update(): void {
    const { log, nextIndex } = this.#tree;
    for (; this.#seen < nextIndex; this.#seen++) {
      const ino = inodeOf(this.#seen);
      if (!this.#tree.has(ino) || this.#tree.isDirectory(ino)) continue;
      const entry = entryOf(log, this.#seen);
      if (entry?.kind !== 'file') continue;
      const { extents, type } = entry.fmap;
      if (type === 'simple' && extents.length > 1) this.#filesInPieces++;
      for (const { devindex, offset, length } of extents) {
        if (devindex === 0) this.#mark(ino, offset, length);
      }
    }
  }

  /** Inode number of the owner, or 0, METADATA, SHARED. */
  ownerOf(unit: number): number {
    return this.#owners[unit] ?? NOBODY;
  }

  /** Who has the units from..to: the only owner, or SHARED when there are several, and how many of them are taken. */
  survey(from: number, to: number): { owner: number; taken: number } {
    let owner = NOBODY;
    let taken = 0;
    for (let unit = from; unit < to; unit++) {
      const here = this.#owners[unit]!;
      if (here === NOBODY) continue;
      taken++;
      if (owner === NOBODY) owner = here;
      else if (owner !== here) owner = SHARED;
    }
    return { owner, taken };
  }

  #mark(ino: number, offset: number, length: number): void {
    const end = Math.min(this.#owners.length, Math.ceil((offset + length) / this.unitBytes));
    for (let unit = Math.floor(offset / this.unitBytes); unit < end; unit++) {
      const before = this.#owners[unit]!;
      this.#owners[unit] = before === NOBODY ? ino : SHARED;
    }
  }
}

/** Null: the entry was overwritten since it was replayed; the next refresh of the survey tells. */
function entryOf(log: FileTree['log'], index: number): ReturnType<FileTree['log']['entry']> | null {
  try {
    return log.entry(index);
  } catch (error) {
    if (isError(error)) return null;
    throw error;
  }
}
