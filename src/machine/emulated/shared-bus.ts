import { Bus } from '../../dax/index.js';
import { afterCommit, asDaxError, DaxError, fail, isError, type LockPatience } from '../../libc/index.js';
import { PhysicalMemory } from '../../memory/index.js';
import { PAGE_SIZE, type PoisonRange, poisonWithout } from '../../mm/index.js';
import { failInUse, type HolderRecord, Holders, type OwnHolder } from '../holders.js';
import {
  documentText,
  type MachineDocument,
  ownNames,
  parseDocument,
  SCHEMA_VERSION,
  sameButForGeneration,
} from './document.js';
import { newSystemRam, takeChangedAlone, unboundDevices } from './held-changes.js';
import { refuseOtherMachinesModes } from './other-machine.js';
import { retire, settle, sweepMarked, takeBack } from './own-memory.js';
import { placesIn } from './places.js';
import { sweepRam } from './ram-memory.js';
import { goesWithRegion, RegionBacking } from './region-backing.js';
import { StateDirectory } from './state-directory.js';

/** A region whose memory is inserted in this process. */
interface PlacedRegion {
  readonly serial: number;
  readonly start: number;
  readonly backing: RegionBacking;
}

/**
 * The bus model of one state directory, kept equal to machine.json (decision 6).
 *
 * A change takes the lock, reloads if the generation moved, applies to the model, writes, and unlocks. When a step fails, the
 * model goes back to what the file says and leftovers are swept: the file is the only truth.
 * A read checks whether machine.json is still the same file (one system call), and reads it again when not. It takes no lock. A
 * use of a device does not take machine.lock either: a change of the device takes the device's use lock exclusively.
 *
 * Lock order: `held` (callbacks of a change join it) -> machine.lock -> use locks -> holder files.
 * Lifetime: directory, holders, memory, model; closed in reverse order.
 */
export class SharedBus {
  readonly directory: StateDirectory;
  readonly holders: Holders;
  /** How long calls may wait for locks of other processes, and search for their holders. */
  readonly patience: LockPatience;
  readonly memory = new PhysicalMemory();
  /** The model as of the last call. Callers that need the up-to-date model use `current`. */
  readonly model = new Bus({ memory: this.memory });
  #document = emptyDocument();
  #text = '';
  readonly #placed = new Map<number, PlacedRegion>();
  /** The model's poisonChanges at the moment when the document last had all of the model's poison. */
  #sharedPoison = -1;
  /** The lock this thread has now. Callbacks that call back into this object join it. */
  #held: 'shared' | 'exclusive' | undefined;
  #closed = false;

  constructor(
    readonly root: string,
    options: { create: boolean; patience?: LockPatience },
  ) {
    this.directory = StateDirectory.open(root, { ...options, firstDocument });
    const { holdersPath, fileMode, identity } = this.directory;
    this.patience = options.patience ?? {};
    this.holders = new Holders({
      directory: holdersPath,
      fileMode,
      machine: identity,
      placesOf: (device, how) =>
        placesIn(this.#document, device, (region) => this.#placed.get(region)?.backing, how),
      patience: this.patience,
    });
    try {
      this.#readAnew();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  get generation(): number {
    return this.#document.generation;
  }

  /** The model, up to date. Inside a change: with the changes made so far. */
  get current(): Bus {
    this.#assertOpen();
    if (this.#held === undefined) {
      this.reloadIfMoved();
      this.#shareClearedPoison();
    }
    return this.model;
  }

  /** The model, at most five milliseconds old, or as this process last changed it. For callers that ask at every read. */
  get lately(): Bus {
    this.#assertOpen();
    if (this.#held !== undefined) return this.model;
    const isKnown = this.model.pages.poisonChanges === this.#sharedPoison && !this.directory.hasMovedLately;
    return isKnown ? this.model : this.current;
  }

  #assertOpen(): void {
    if (!this.#closed) return;
    fail('EBADF', `the machine at ${this.root} is closed: open it again`, { path: this.root });
  }

  /** Backing of a region. The region exists in `current`. */
  backingOf(region: number): RegionBacking {
    return this.#placed.get(region)!.backing;
  }

  /** Runs a change; see the class comment. Inside another change it joins that change. */
  change<T>(apply: (bus: Bus) => T): T {
    if (this.#held === 'exclusive') return apply(this.model);
    if (this.#held === 'shared')
      fail('EDEADLK', 'a callback of a reload cannot change the machine: do it later');
    this.#assertOpen();
    return this.#underLock(() => {
      this.reloadIfMoved();
      this.#sweep();
      let result: T;
      try {
        result = apply(this.model);
        this.#write();
      } catch (error) {
        this.#rollBack(error);
        throw error;
      }
      afterCommit('removing what it left over', () => this.#sweep());
      return result;
    });
  }

  /** Inserts a new region's memory under the model. Called inside a change, before bus.addRegion. */
  placeMemory(region: number, start: number, length: number, backing: RegionBacking): void {
    this.memory.insert({ start, length, backing, offset: backing.record.offset });
    this.#placed.set(region, { serial: this.#document.generation + 1, start, backing });
  }

  /**
   * Registers this process as a user of a device.
   * @param check throws when the device's state does not allow the use; it runs on the current state
   * @throws DaxError EBUSY naming the holders that exclude this use; as opening the memory
   */
  hold(device: string, purpose: string, exclusive: boolean, check: (bus: Bus) => void): OwnHolder {
    const add = (): OwnHolder => {
      check(this.model);
      const conflicts = this.holdersOf(device).filter((record) => exclusive || record.exclusive);
      if (conflicts.length > 0) failInUse(device, conflicts);
      return this.holders.add(device, purpose, exclusive);
    };
    if (this.#held !== undefined) return add();
    try {
      for (;;) {
        void this.current;
        const holder = add();
        // From here on no process can change the device, but one may have changed it just before.
        if (!this.directory.hasMoved) return holder;
        this.holders.remove(holder);
      }
    } catch (error) {
      throw asDaxError(error, `${device} cannot be marked as in use by this process`);
    }
  }

  /** Makes one use of a device the only one, until the returned function is called. @throws DaxError EBUSY naming the others */
  takeAlone(device: string, own: OwnHolder): () => void {
    const conflicts = this.holdersOf(device).filter((record) => record !== own.record);
    if (conflicts.length > 0) failInUse(device, conflicts);
    return this.holders.takeAlone(device, 'memory');
  }

  /** All live holders of a device that have a file, and this object's own holders first. */
  holdersOf(device: string): HolderRecord[] {
    return [
      ...this.holders.ownOf(device).map((holder) => holder.record),
      ...this.holders.filedOthers(device),
    ];
  }

  /** Removes this object's holders of a device whose handles are dead. */
  dropOwnHolds(device: string): void {
    for (const holder of this.holders.ownOf(device)) this.holders.remove(holder);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.memory.close();
    for (const { backing } of this.#placed.values()) backing.close();
    this.holders.close();
    this.directory.close();
  }

  #underLock<T>(work: () => T): T {
    return this.directory.underLock(() => {
      this.#held = 'exclusive';
      try {
        return work();
      } finally {
        this.#held = undefined;
      }
    });
  }

  reloadIfMoved(): void {
    if (this.directory.hasMoved) this.#readAnew();
  }

  /** Callbacks that call back into this object see the model, and cannot change it. */
  #readAnew(): void {
    const before = this.#held;
    this.#held ??= 'shared';
    try {
      // Poison that a recovery write of this process cleared stays cleared. The next change tells the other processes.
      const cleared = this.#clearedPoison();
      this.#reload();
      for (const { pfn, pages } of cleared) this.model.pages.unpoison(pfn, pages);
    } finally {
      this.#held = before;
    }
  }

  #reload(): void {
    const text = this.directory.read();
    this.#applyDocument(parseDocument(text, this.directory.documentPath));
    this.#text = text;
  }

  /** Makes model and memory equal to a document. What did not change keeps its objects and open handles. */
  #applyDocument(document: MachineDocument): void {
    this.#dropRegionsNotIn(document);
    const known = [...this.#document.poison, ...this.model.pages.poisonedRanges()];
    const newPoison = poisonWithout(document.poison, known);
    try {
      this.#placeRegionsOf(document);
      const problems = this.model.restore(document);
      if (problems.length > 0) fail('EIO', problems.join('; '));
    } catch (error) {
      throw this.#damaged(error);
    }
    this.#document = document;
    // Holders are told last: a holder that looks at the bus from its callback sees the whole new state.
    for (const { pfn, pages } of newPoison) this.model.memoryFailure(pfn * PAGE_SIZE, pages * PAGE_SIZE);
  }

  #placeRegionsOf(document: MachineDocument): void {
    for (const region of document.regions) {
      if (this.#placed.has(region.id)) continue;
      const backing = new RegionBacking(region.backing, region.size, this.root);
      this.memory.insert({
        start: region.start,
        length: region.size,
        backing,
        offset: region.backing.offset,
      });
      this.#placed.set(region.id, { serial: region.serial, start: region.start, backing });
    }
  }

  /** Removes regions that are gone or were replaced by another of the same id, before anything new is inserted. */
  #dropRegionsNotIn(document: MachineDocument): void {
    for (const [id, placed] of [...this.#placed]) {
      if (document.regions.some((region) => region.id === id && region.serial === placed.serial)) continue;
      for (const device of this.model.region(id)?.devices ?? []) this.dropOwnHolds(device.name);
      if (this.model.region(id)) this.model.removeRegion(id);
      this.#unplace(id, placed);
    }
  }

  #unplace(id: number, placed: PlacedRegion): void {
    this.memory.remove(placed.start);
    placed.backing.close();
    this.#placed.delete(id);
  }

  #write(): void {
    const state = this.model.snapshot();
    const regions = state.regions.map((region) => {
      const placed = this.#placed.get(region.id);
      if (!placed)
        return fail('EINVAL', `region ${region.id} has no backing: make regions with createRegion`);
      return { ...region, serial: placed.serial, backing: placed.backing.record };
    });
    const before = this.#document;
    const document = { schema: SCHEMA_VERSION, generation: before.generation + 1, ...state, regions };
    if (sameButForGeneration(before, document)) return;
    this.#refuseOtherModes(before, document);
    const letGo = takeChangedAlone(
      { before, after: document, blockBytes: this.model.memoryBlocks.blockBytes },
      this.holders,
      (of, name) => placesIn(of, name, (region) => this.#placed.get(region)?.backing, 'look'),
    );
    const gone = ownNames(before).filter((name) => !ownNames(document).includes(name));
    const text = documentText(document);
    try {
      retire(this.root, gone);
      this.directory.publish(text);
    } catch (error) {
      for (const name of gone) takeBack(this.root, name);
      throw error;
    } finally {
      letGo();
    }
    this.#document = document;
    this.#text = text;
    afterCommit('naming its memory', () => {
      for (const name of ownNames(document)) settle(this.root, name);
    });
    afterCommit('giving back what it ended', () => {
      for (const name of unboundDevices(before, state)) this.dropOwnHolds(name);
      for (const [id, placed] of [...this.#placed]) {
        if (!document.regions.some((region) => region.id === id)) this.#unplace(id, placed);
      }
    });
  }

  /** The memory may be another machine's own file. What is famfs or system-ram there must not become system-ram here. */
  #refuseOtherModes(before: MachineDocument, after: MachineDocument): void {
    for (const name of newSystemRam(before, after)) {
      const region = after.regions.find(({ devices }) => devices.some((device) => device.name === name))!;
      if (goesWithRegion(region.backing)) continue;
      for (const { start, end } of region.devices.find((device) => device.name === name)!.ranges) {
        const bytes = { start: region.backing.offset + start - region.start, length: end - start + 1 };
        refuseOtherMachinesModes(region.backing.path, bytes, ['fsdev_dax', 'kmem'], this.root);
      }
    }
  }

  #rollBack(cause: unknown): void {
    try {
      this.#applyDocument(
        this.#text === '' ? emptyDocument() : parseDocument(this.#text, this.directory.documentPath),
      );
      this.#sweep();
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

  /** Removes the memory files that a killed process left marked. The caller has the exclusive lock. */
  #sweep(): void {
    sweepMarked(this.root, ownNames(this.#document));
    sweepRam(this.root, this.#document.regions);
  }

  /** Poison of the document that a recovery write of this process has cleared since. */
  #clearedPoison(): PoisonRange[] {
    const { poison } = this.#document;
    return poison.length === 0 ? [] : poisonWithout(poison, this.model.pages.poisonedRanges());
  }

  #shareClearedPoison(): void {
    const { poisonChanges } = this.model.pages;
    if (poisonChanges === this.#sharedPoison) return;
    if (this.directory.writable && this.#clearedPoison().length > 0) this.change(() => {});
    this.#sharedPoison = this.model.pages.poisonChanges;
  }

  #damaged(cause: unknown): DaxError {
    const file = this.directory.documentPath;
    const why = isError(cause) ? cause.message : String(cause);
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

/** The document of a new machine: all three modules, autoprobe on, and memory goes online only on request (decision table). */
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
