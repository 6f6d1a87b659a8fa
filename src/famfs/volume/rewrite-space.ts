import { fail } from '../../libc/index.js';
import { AllocationMap } from '../media/allocation-map.js';
import { Allocator, dataStart } from '../media/allocator.js';
import { continuesExtent, extentRanges, type FamfsExtent, type Fmap, fmapCapacity } from '../media/fmap.js';
import { FAMFS_MAX_EXTENTS, type Superblock } from '../media/layout.js';
import type { FileTree } from '../media/tree.js';

type Interleaved = Extract<Fmap, { type: 'interleaved' }>;

/** Data that must be in its new place before the new log names it. Bytes of the device; all of `to` was free. */
export interface DataMove {
  path: string;
  /** Null: zeroes. */
  from: number | null;
  to: number;
  length: number;
}

/**
 * The space that files are to have. Only units that were free in the old log are given to new places, because the old data must
 * stay whole until the new log is valid. So space that the same rewrite frees is not used by it.
 */
export class ChangedSpace {
  /** The files whose size or extents are other ones, by inode number. */
  readonly changed = new Map<number, { size: number; fmap: Fmap }>();
  /** In this order. */
  readonly moves: DataMove[] = [];
  readonly #superblock: Superblock;
  readonly #tree: FileTree;
  readonly #map: AllocationMap;
  readonly #allocator: Allocator;
  readonly #unit: number;
  readonly #end: number;
  #shared: AllocationMap | undefined;

  constructor(superblock: Superblock, tree: FileTree, name: string) {
    this.#superblock = superblock;
    this.#tree = tree;
    this.#unit = superblock.allocUnit;
    this.#end = Math.floor(superblock.deviceSize / superblock.allocUnit);
    const taken = tree.usage!.primary;
    this.#map = new AllocationMap(taken.units);
    this.#map.bytes().set(taken.bytes());
    this.#allocator = new Allocator(superblock, this.#map, { name });
  }

  /** Space that neither the old log nor the new one uses. */
  freeSpace(): { offset: number; length: number }[] {
    return [...this.#map.freeRuns(0, this.#end)].map(({ start, count }) => ({
      offset: start * this.#unit,
      length: count * this.#unit,
    }));
  }

  /**
   * Gives a file another size. New bytes are zeroes.
   * @throws DaxError EINVAL the format has no such size, or it was resized before; EFBIG; ENOSPC; ENODEV some of it is on a
   *   device that is not here
   */
  resize(ino: number, path: string, size: number): void {
    this.#checkSize(path, size);
    if (this.changed.has(ino)) fail('EINVAL', `${path} is named twice: give it one size`, { path });
    const { size: oldSize, type } = this.#tree.stat(ino);
    if (type === 'symlink') fail('EINVAL', `${path} is a symbolic link: name the file`, { path });
    if (size === oldSize) return;
    if (oldSize === 0) {
      this.#fill(ino, path, size);
      return;
    }
    const fmap = this.#tree.fmap(ino);
    if (fmap.extents.some(({ devindex }) => devindex !== 0))
      fail('ENODEV', `${path} lies on another device, which is not here: its size stays`, { path });
    if (this.#isShared(fmap))
      fail('EINVAL', `${path} shares its space with another file (a clone): copy it, and resize the copy`, {
        path,
      });
    if (size < oldSize) {
      this.changed.set(ino, { size, fmap: this.#cut(fmap, size) });
      return;
    }
    const grown = this.#grown(fmap, path, size);
    this.changed.set(ino, { size, fmap: grown });
    const end = Math.min(Math.ceil(size / this.#unit) * this.#unit, fmapCapacity(grown));
    for (const { offset, length } of extentRanges(grown, oldSize, end - oldSize)) {
      this.moves.push({ path, from: null, to: offset, length });
    }
  }

  /** Gives an empty file its first bytes. */
  #fill(ino: number, path: string, size: number): void {
    const fmap = this.#allocator.allocate(size);
    this.changed.set(ino, { size, fmap });
    for (const { offset, length } of fmap.extents) this.moves.push({ path, from: null, to: offset, length });
  }

  /** Takes one run of units that were free. @throws DaxError ENOSPC */
  takeRun(bytes: number): { offset: number; fmap: Fmap } {
    const count = Math.ceil(bytes / this.#unit);
    const start = this.#map.findRun(count, 0, this.#end);
    if (start < 0)
      fail('ENOSPC', `no free run of ${bytes} bytes for the annex of the new log: free some space first`);
    this.#map.set(start, count);
    const extent = { devindex: 0, offset: start * this.#unit, length: count * this.#unit };
    return { offset: extent.offset, fmap: { type: 'simple', extents: [extent] } };
  }

  /**
   * Plans one round of moves: a file of several extents gets one, and a file moves to the first free run that holds it.
   * @param mayMove whether the data of these extents can be read
   */
  defragment(files: readonly { ino: number; path: string }[], mayMove: (fmap: Fmap) => boolean): void {
    const simple = files
      .map((file) => ({ ...file, fmap: this.#tree.fmap(file.ino) }))
      .filter(({ fmap }) => fmap.type === 'simple' && fmap.extents.every(({ devindex }) => devindex === 0))
      .filter(({ fmap }) => !this.#isShared(fmap))
      .sort((a, b) => a.fmap.extents[0]!.offset - b.fmap.extents[0]!.offset);
    for (const { ino, path, fmap } of simple) {
      const size = this.#tree.stat(ino).size;
      const count = Math.ceil(size / this.#unit);
      const [first] = fmap.extents;
      const limit = isOneRun(fmap.extents) ? first!.offset / this.#unit : this.#end;
      const start = this.#map.findRun(count, 0, limit);
      if (start < 0 || !mayMove(fmap)) continue;
      this.#map.set(start, count);
      const extent = { devindex: 0, offset: start * this.#unit, length: count * this.#unit };
      this.#copy(path, extentRanges(fmap, 0, size), [extent]);
      this.changed.set(ino, { size, fmap: { type: 'simple', extents: [extent] } });
    }
  }

  #checkSize(path: string, size: number): void {
    if (!Number.isSafeInteger(size) || size <= 0) {
      fail(
        'EINVAL',
        `${path} cannot have ${size} bytes: the format has no such files, only of one byte and more`,
        { path },
      );
    }
    const most = this.#end * this.#unit - dataStart(this.#superblock);
    if (size > most) {
      fail(
        'EFBIG',
        `${path} cannot have ${size} bytes: this file system holds at most ${most} bytes of files`,
        { path },
      );
    }
  }

  /** Gives back whole units. */
  #cut(fmap: Fmap, size: number): Fmap {
    if (fmap.type === 'interleaved') {
      const length = this.#stripLength(fmap, size);
      return {
        ...fmap,
        extents: fmap.extents.map((strip) => ({ ...strip, length: Math.min(strip.length, length) })),
      };
    }
    const extents: FamfsExtent[] = [];
    let missing = Math.ceil(size / this.#unit) * this.#unit;
    for (const extent of fmap.extents) {
      if (missing === 0) break;
      const length = Math.min(extent.length, missing);
      extents.push({ ...extent, length });
      missing -= length;
    }
    return { type: 'simple', extents };
  }

  #grown(fmap: Fmap, path: string, size: number): Fmap {
    return fmap.type === 'interleaved'
      ? this.#grownStrips(fmap, path, size)
      : this.#grownRuns(fmap, path, size);
  }

  #grownRuns({ extents: old }: Fmap, path: string, size: number): Fmap {
    const extents = old.map((extent) => ({ ...extent }));
    const capacity = extents.reduce((sum, { length }) => sum + length, 0);
    let missing = Math.ceil((size - capacity) / this.#unit);
    if (missing <= 0) return { type: 'simple', extents };
    const last = extents.at(-1)!;
    const behind = this.#takeBehind(last, missing);
    last.length += behind * this.#unit;
    missing -= behind;
    if (missing === 0) return { type: 'simple', extents };
    const added = this.#allocator.allocate(missing * this.#unit);
    if (extents.length + added.extents.length <= FAMFS_MAX_EXTENTS) {
      return { type: 'simple', extents: [...extents, ...added.extents] };
    }
    this.#allocator.release(added);
    const whole = this.#allocator.allocate(size);
    this.#copy(path, old, whole.extents);
    return whole;
  }

  /** Each strip grows where it is, or moves to a run that holds it. */
  #grownStrips(fmap: Interleaved, path: string, size: number): Fmap {
    const length = this.#stripLength(fmap, size);
    const extents = fmap.extents.map((strip) => {
      const missing = (length - strip.length) / this.#unit;
      if (missing <= 0) return strip;
      if (this.#takeBehind(strip, missing, true) === missing) return { ...strip, length };
      const moved = { devindex: 0, offset: this.#runFor(strip, length, path), length };
      this.#copy(path, [strip], [moved]);
      return moved;
    });
    return { ...fmap, extents };
  }

  /** A run near the strip's place, so that the strips stay where they were spread. */
  #runFor(strip: FamfsExtent, length: number, path: string): number {
    const count = length / this.#unit;
    const here = strip.offset / this.#unit;
    let start = this.#map.findRun(count, here, this.#end);
    if (start < 0) start = this.#map.findRun(count, 0, this.#end);
    if (start < 0) {
      fail('ENOSPC', `${path}: no free run of ${length} bytes for one of its strips: free some space first`, {
        path,
      });
    }
    this.#map.set(start, count);
    return start * this.#unit;
  }

  /** Takes up to `most` free units right behind an extent; with `allOrNone` that many or none. @returns how many */
  #takeBehind(extent: FamfsExtent, most: number, allOrNone = false): number {
    const start = (extent.offset + extent.length) / this.#unit;
    const count = Math.max(0, this.#map.nextSet(start, Math.min(this.#end, start + most)) - start);
    if (count === 0 || (allOrNone && count < most)) return 0;
    this.#map.set(start, count);
    return count;
  }

  /** Bytes of each strip of an interleaved file: whole stripes, in whole units. */
  #stripLength({ nstrips, chunkSize }: Interleaved, size: number): number {
    const stripes = Math.ceil(size / (nstrips * chunkSize));
    return Math.ceil((stripes * chunkSize) / this.#unit) * this.#unit;
  }

  /** Copies what runs through some extents to where it runs through others. */
  #copy(path: string, from: readonly FamfsExtent[], to: readonly FamfsExtent[]): void {
    const targets = to.map(({ offset, length }) => ({ offset, length }));
    for (const { offset, length } of from) {
      for (let done = 0; done < length; ) {
        const target = targets[0]!;
        const bytes = Math.min(length - done, target.length);
        this.moves.push({ path, from: offset + done, to: target.offset, length: bytes });
        target.offset += bytes;
        target.length -= bytes;
        done += bytes;
        if (target.length === 0) targets.shift();
      }
    }
  }

  #isShared(fmap: Fmap): boolean {
    if (this.#tree.usage!.collisions === 0) return false;
    this.#shared ??= this.#sharedUnits();
    return fmap.extents.some(
      ({ offset, length }) => this.#shared!.countSet(offset / this.#unit, length / this.#unit) > 0,
    );
  }

  /** The units that several files have. */
  #sharedUnits(): AllocationMap {
    const seen = new AllocationMap(this.#map.units);
    const shared = new AllocationMap(this.#map.units);
    for (let ino = 2; ino <= this.#tree.nextIndex + 1; ino++) {
      if (!this.#tree.has(ino) || this.#tree.isDirectory(ino)) continue;
      for (const { devindex, offset, length } of this.#tree.fmap(ino).extents) {
        if (devindex !== 0) continue;
        for (let unit = offset / this.#unit; unit < (offset + length) / this.#unit; unit++) {
          if (seen.set(unit, 1) > 0) shared.set(unit, 1);
        }
      }
    }
    return shared;
  }
}

function isOneRun(extents: readonly FamfsExtent[]): boolean {
  return extents.every((extent, i) => i === 0 || continuesExtent(extents[i - 1]!, extent));
}
