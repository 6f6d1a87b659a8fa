import fs from 'node:fs';
import path from 'node:path';
import { Bus } from '../dax/index.js';
import { asDaxError, DaxError, fail, type LockPatience } from '../libc/index.js';
import { PhysicalMemory } from '../memory/index.js';
import { PAGE_SIZE } from '../mm/index.js';
import { documentText, type MachineDocument, parseDocument, SCHEMA_VERSION } from './document.js';
import { newSystemRam, takeChangedAlone, unboundDevices } from './held-changes.js';
import { describeHolders, type HolderRecord, Holders, type OwnHolder } from './holders.js';
import { refuseOtherMachinesModes } from './other-machine.js';
import { type PageRange, subtractRanges } from './page-ranges.js';
import { placesIn } from './places.js';
import { RegionBacking } from './region-backing.js';
import { StateDirectory } from './state-directory.js';

/** A region's memory as this process has it in place. */
interface PlacedRegion {
  readonly serial: number;
  readonly start: number;
  readonly backing: RegionBacking;
}

/**
 * The bus model of one state directory, kept equal to machine.json (decision 6).
 *
 * A change takes the lock, reloads if the generation moved, applies to the model, writes, bumps, unlocks. When it fails at any
 * of these, the model is put back to what the file says and leftovers are swept: the file is the only truth, so
 * "as before" and "as others see it" are one thing.
 * A read compares the mapped generation word with the one it knows (one load) and reloads when it moved: without a lock, since
 * documents are replaced by rename. Nor does a use take machine.lock: who changes a device has its use lock while he does.
 *
 * Lock order: `held` (callbacks of a change join it) -> machine.lock -> use locks -> holder files.
 * Lifetime: directory, holders, memory, model; closed in reverse.
 */
export class SharedBus {
  readonly directory: StateDirectory;
  readonly holders: Holders;
  readonly memory = new PhysicalMemory();
  /** The model as it was at the last call: callers that need today's say `current`. */
  readonly model = new Bus({ memory: this.memory });
  private document = emptyDocument();
  private readonly placed = new Map<number, PlacedRegion>();
  private knownLow = 0;
  private knownIdentity = '';
  /** The lock this thread has now: callbacks that come back to us join it. */
  private held: 'shared' | 'exclusive' | undefined;
  private closed = false;

  constructor(
    readonly root: string,
    options: { create: boolean; patience?: LockPatience },
  ) {
    this.directory = StateDirectory.open(root, firstDocument, options);
    const { holdersPath, fileMode, identity } = this.directory;
    this.holders = new Holders(holdersPath, fileMode, identity, (device, how) =>
      placesIn(this.document, device, (region) => this.placed.get(region)?.backing, how),
    );
    try {
      this.reading(() => this.reloadIfMoved());
    } catch (error) {
      this.close();
      throw error;
    }
  }

  get generation(): number {
    return this.document.generation;
  }

  /** The model, up to date. Inside a change: as changed so far. */
  get current(): Bus {
    if (this.closed)
      fail('EBADF', `the machine at ${this.root} is closed: open it again`, { path: this.root });
    if (this.held === undefined) {
      if (this.directory.generationLow !== this.knownLow) this.reading(() => this.reloadIfMoved());
      if (this.document.poison.length > 0) this.shareClearedPoison();
    }
    return this.model;
  }

  /** Backing of a region. The region exists in `current`. */
  backingOf(region: number): RegionBacking {
    return this.placed.get(region)!.backing;
  }

  /** Runs a change; see the class comment. Inside another change it joins that one. */
  change<T>(apply: (bus: Bus) => T): T {
    if (this.held === 'exclusive') return apply(this.model);
    if (this.held === 'shared')
      fail('EDEADLK', 'a callback of a reload cannot change the machine: do it later');
    if (this.closed)
      fail('EBADF', `the machine at ${this.root} is closed: open it again`, { path: this.root });
    return this.underLock(() => {
      this.reloadIfMoved();
      this.directory.repairGeneration(this.document.generation);
      this.knownLow = this.directory.generationLow;
      this.sweep();
      try {
        const result = apply(this.model);
        this.write();
        return result;
      } catch (error) {
        this.rollBack(error);
        throw error;
      } finally {
        this.sweep();
      }
    });
  }

  /** Puts a new region's memory under the model, inside a change and before bus.addRegion. */
  placeMemory(region: number, start: number, length: number, backing: RegionBacking): void {
    this.memory.insert({ start, length, backing, offset: backing.record.offset });
    this.placed.set(region, { serial: this.document.generation + 1, start, backing });
  }

  /**
   * Registers this process as a user of a device.
   * @param check refuses (throws) when the device is not in a state to be used; runs under the lock
   * @throws EBUSY naming who excludes us; EACCES when this user may not write the state directory
   */
  hold(device: string, purpose: string, exclusive: boolean, check: (bus: Bus) => void): OwnHolder {
    const add = (): OwnHolder => {
      check(this.model);
      const conflicts = this.holdersOf(device).filter((record) => exclusive || record.exclusive);
      if (conflicts.length > 0) {
        fail('EBUSY', `${device} is in use by ${describeHolders(conflicts)}: let them close it first`, {
          path: device,
        });
      }
      return this.holders.add(device, purpose, exclusive);
    };
    if (this.held !== undefined) return add();
    try {
      for (;;) {
        void this.current;
        const holder = add();
        // From here on nobody changes the device; somebody may have done so just before.
        if (this.isUpToDate()) return holder;
        this.holders.remove(holder);
      }
    } catch (error) {
      throw asDaxError(error, `${device} cannot be marked as in use by this process`);
    }
  }

  /** All live holders of a device that have a file, our own first. */
  holdersOf(device: string): HolderRecord[] {
    return [...this.holders.ownOf(device).map((holder) => holder.record), ...this.holders.filedOthers(device)];
  }

  /** Removes our own marks on a device whose handles are dead. */
  dropOwnHolds(device: string): void {
    for (const holder of this.holders.ownOf(device)) this.holders.remove(holder);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.memory.close();
    for (const { backing } of this.placed.values()) backing.close();
    this.holders.close();
    this.directory.close();
  }

  private underLock<T>(work: () => T): T {
    return this.directory.underLock(() => this.holding('exclusive', work));
  }

  /** No lock; but callbacks of a reload must not change the machine. */
  private reading(work: () => void): void {
    this.holding('shared', work);
  }

  private holding<T>(kind: 'shared' | 'exclusive', work: () => T): T {
    this.held = kind;
    try {
      return work();
    } finally {
      this.held = undefined;
    }
  }

  private isUpToDate(): boolean {
    return (
      this.directory.generationLow === this.knownLow &&
      this.directory.documentIdentity() === this.knownIdentity
    );
  }

  private reloadIfMoved(): void {
    if (this.isUpToDate()) return;
    // What recovery writes of this process cleared stays cleared; the next change tells the others.
    const cleared = this.clearedPoison();
    this.reload();
    for (const { pfn, pages } of cleared) this.model.pages.unpoison(pfn, pages);
  }

  private reload(): void {
    // Taken first: a document that is replaced while we read it moves the word, and we come again.
    const low = this.directory.generationLow;
    const { text, identity } = this.directory.read();
    const document = parseDocument(text, this.directory.documentPath);
    this.applyDocument(document);
    this.knownIdentity = identity;
    this.knownLow = low;
    if (this.held === 'shared') this.knownLow = this.directory.mended(document.generation, low, identity);
  }

  /** Makes model and memory equal to a document; what did not change keeps its objects and open handles. */
  private applyDocument(document: MachineDocument): void {
    this.dropRegionsNotIn(document);
    const known = [...this.document.poison, ...this.model.pages.poisonedRanges()];
    const newPoison = subtractRanges(document.poison, known);
    try {
      this.placeRegionsOf(document);
      const problems = this.model.restore(document);
      if (problems.length > 0) fail('EIO', problems.join('; '));
    } catch (error) {
      throw this.damaged(error);
    }
    this.document = document;
    // Told only now: a holder that looks at the bus from its callback sees all of the new state.
    for (const { pfn, pages } of newPoison) this.model.memoryFailure(pfn * PAGE_SIZE, pages * PAGE_SIZE);
  }

  private placeRegionsOf(document: MachineDocument): void {
    for (const region of document.regions) {
      if (this.placed.has(region.id)) continue;
      const backing = new RegionBacking(region.backing, region.size);
      this.memory.insert({
        start: region.start,
        length: region.size,
        backing,
        offset: region.backing.offset,
      });
      this.placed.set(region.id, { serial: region.serial, start: region.start, backing });
    }
  }

  /** Regions that are gone, or were replaced by another of the same id, leave before anything new comes. */
  private dropRegionsNotIn(document: MachineDocument): void {
    for (const [id, placed] of [...this.placed]) {
      if (document.regions.some((region) => region.id === id && region.serial === placed.serial)) continue;
      for (const device of this.model.region(id)?.devices ?? []) this.dropOwnHolds(device.name);
      if (this.model.region(id)) this.model.removeRegion(id);
      this.unplace(id, placed);
    }
  }

  private unplace(id: number, placed: PlacedRegion): void {
    this.memory.remove(placed.start);
    placed.backing.close();
    this.placed.delete(id);
  }

  private write(): void {
    const state = this.model.snapshot();
    const regions = state.regions.map((region) => {
      const placed = this.placed.get(region.id);
      if (!placed)
        return fail('EINVAL', `region ${region.id} has no backing: make regions with createRegion`);
      return { ...region, serial: placed.serial, backing: placed.backing.record };
    });
    const before = this.document;
    const document = { schema: SCHEMA_VERSION, generation: before.generation + 1, ...state, regions };
    if (sameButForGeneration(before, document)) return;
    this.refuseOtherModes(before, document);
    const letGo = takeChangedAlone(
      { before, after: document, blockBytes: this.model.memoryBlocks.blockBytes },
      this.holders,
      (of, name) => placesIn(of, name, (region) => this.placed.get(region)?.backing, 'look'),
    );
    try {
      this.knownIdentity = this.directory.publish(documentText(document), document.generation);
      this.knownLow = this.directory.generationLow;
      this.document = document;
    } finally {
      letGo();
    }
    for (const name of unboundDevices(before, state)) this.dropOwnHolds(name);
    for (const [id, placed] of [...this.placed]) {
      if (!document.regions.some((region) => region.id === id)) this.unplace(id, placed);
    }
  }

  /** Our memory may be another machine's own: what it has there as famfs must not become our system-ram. */
  private refuseOtherModes(before: MachineDocument, after: MachineDocument): void {
    for (const name of newSystemRam(before, after)) {
      const region = after.regions.find(({ devices }) => devices.some((device) => device.name === name))!;
      for (const { start, end } of region.devices.find((device) => device.name === name)!.ranges) {
        const bytes = { start: region.backing.offset + start - region.start, length: end - start + 1 };
        refuseOtherMachinesModes(region.backing.path, bytes, ['fsdev_dax', 'kmem'], this.root);
      }
    }
  }

  private rollBack(cause: unknown): void {
    try {
      this.reload();
    } catch (error) {
      throw new DaxError(
        'EIO',
        `a change failed (${String(cause)}), and so did going back: ${String(error)}`,
        {
          path: this.directory.documentPath,
          cause,
        },
      );
    }
  }

  /**
   * Removes default backings of regions that machine.json does not know: made by a process that was
   * killed before it wrote, or left by one killed after. Under the exclusive lock.
   */
  private sweep(): void {
    const known = new Set(this.document.regions.map((region) => region.backing.path));
    for (const name of fs.readdirSync(this.directory.regionsPath)) {
      const file = path.join(this.directory.regionsPath, name);
      if (/^\d+\.mem$/.test(name) && !known.has(file)) fs.rmSync(file, { force: true });
    }
  }

  /** Poison of the document that a recovery write of this process has cleared since. */
  private clearedPoison(): PageRange[] {
    const { poison } = this.document;
    return poison.length === 0 ? [] : subtractRanges(poison, this.model.pages.poisonedRanges());
  }

  private shareClearedPoison(): void {
    if (this.directory.writable && this.clearedPoison().length > 0) this.change(() => {});
  }

  private damaged(cause: unknown): DaxError {
    const file = this.directory.documentPath;
    const why = cause instanceof Error ? cause.message : String(cause);
    return new DaxError(
      'EIO',
      `${file} describes a machine that cannot be (${why}): restore it from a backup`,
      {
        path: file,
        cause,
      },
    );
  }
}

/** A new machine: all three modules, autoprobe on, memory that goes online only when told (decision table). */
function firstDocument(): string {
  const bus = new Bus({ autoOnline: 'offline' });
  for (const name of ['device_dax', 'fsdev_dax', 'kmem']) bus.insmod(name);
  return documentText({ schema: SCHEMA_VERSION, generation: 1, ...bus.snapshot(), regions: [] });
}

function emptyDocument(): MachineDocument {
  return {
    schema: SCHEMA_VERSION,
    generation: 0,
    autoprobe: true,
    autoOnline: 'offline',
    modules: [],
    regions: [],
    memoryBlocks: [],
    stranded: [],
    poison: [],
  };
}

function sameButForGeneration(before: MachineDocument, after: MachineDocument): boolean {
  return documentText({ ...after, generation: before.generation }) === documentText(before);
}
