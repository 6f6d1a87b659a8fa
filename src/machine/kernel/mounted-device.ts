import fs from 'node:fs';
import path from 'node:path';
import { Bus, type DaxDevice } from '../../dax/index.js';
import { type Fmap, systemUuid } from '../../famfs/index.js';
import { asDaxError, fail } from '../../libc/index.js';
import { type DeviceFacts, FileOfDevice, memoryIdentity, PhysicalMemory } from '../../memory/index.js';
import { PAGE_SIZE, PMD_SIZE } from '../../mm/index.js';
import { isExclusivePurpose } from '../holders.js';
import type { Hold, HoldOptions, MachineDevice } from '../types.js';
import { conflictText, MemoryUse } from '../use-lock.js';

/** Address of the memory in this handle's private machine. Any address would do. */
const HPA = 2 ** 40;
const NAME = 'dax0.0';

/** A device that the kernel has for a zero-copy mount. */
export interface MountedDeviceFacts {
  /** The name for messages. */
  readonly name: string;
  /** Its node: locks lie there. */
  readonly node: string;
  readonly size: number;
  readonly persistent: boolean;
  readonly writable: boolean;
  /** State directory of this host. */
  readonly root: string;
  /** Where a server makes files on it: others do not, then. Absent for the server itself. */
  readonly servedAt?: string;
}

/** An open file of the mount, and the byte of the device at its offset 0. */
export interface OpenPart {
  readonly fd: number;
  readonly fileStart: number;
}

/** A part of the device: `backing` shows it, or nobody may map it. */
interface Part {
  readonly start: number;
  readonly end: number;
  readonly backing: FileOfDevice;
  readonly isShown: boolean;
}

/**
 * A dax device in famfs mode, used through files of the mount that the kernel has it for. Parts of it are shown by open files
 * (superblock, log, files of the volume); all else can be locked and counted, but not mapped.
 * It opens nothing of the mount and closes nothing of it, so that the server of the mount can use it.
 */
export class MountedDevice implements MachineDevice {
  readonly name: string;
  readonly dax: DaxDevice;
  readonly writable: boolean;
  readonly servedAt?: string;
  /** Set by whoever opens files when they are needed. */
  reach?: (fmap: Fmap, file?: { readonly path: string; readonly size: number }) => void;
  leave?: (fmap: Fmap, release: () => void) => void;
  readonly #memory = new PhysicalMemory();
  readonly #facts: MountedDeviceFacts;
  readonly #backingFacts: DeviceFacts;
  readonly #parts: Part[] = [];
  readonly #holds = new Set<Hold>();
  #use: MemoryUse | undefined;
  #uuid: string | undefined;
  #isClosed = false;
  readonly #onClose: () => void;

  /** @param onClose called at the end, when nothing is mapped any more */
  constructor(facts: MountedDeviceFacts, onClose: () => void = () => {}) {
    this.#onClose = onClose;
    if (facts.servedAt !== undefined) this.servedAt = facts.servedAt;
    this.#facts = facts;
    this.name = facts.name;
    this.writable = facts.writable;
    const { node, size, writable, persistent, name } = facts;
    const identity = memoryIdentity(node) ?? node;
    this.#backingFacts = { name, identity, size, writable, persistent, lockPath: node };
    this.#insert(0, size, null);
    const bus = new Bus({ memory: this.#memory });
    bus.insmod('fsdev_dax');
    const align = size % PMD_SIZE === 0 ? PMD_SIZE : PAGE_SIZE;
    bus.addRegion({ type: 'device', static: true, start: HPA, size, align, targetNode: 0 });
    bus.newId('fsdev_dax', NAME);
    this.dax = bus.device(NAME)!.dax;
  }

  get systemUuid(): string {
    this.#uuid ??= systemUuid(this.#facts.root);
    return this.#uuid;
  }

  get reservations(): string {
    return path.join(this.#facts.root, 'volumes');
  }

  /** Shows bytes of the device by an open file. What another file shows of them already stays as it is. */
  show(start: number, length: number, file: OpenPart): void {
    for (const part of this.#within(start, start + length)) {
      if (part.isShown) continue;
      const from = Math.max(start, part.start);
      const to = Math.min(start + length, part.end);
      this.#take(part);
      if (part.start < from) this.#insert(part.start, from, null);
      this.#insert(from, to, file);
      if (to < part.end) this.#insert(to, part.end, null);
    }
  }

  /** Whether any of these bytes are shown by a file. */
  shows(start: number, length: number): boolean {
    return this.#within(start, start + length).some(({ isShown }) => isShown);
  }

  /** Ends all views of what the file shows: nothing of it is mapped here any more. */
  hide(fd: number): void {
    for (const part of this.#parts.filter(({ isShown, backing }) => isShown && backing.fd === fd)) {
      this.#take(part);
      this.#insertHidden(part.start, part.end);
    }
  }

  hold(purpose: string, options?: HoldOptions): Hold {
    if (this.#isClosed) fail('EBADF', `${this.name} was closed: open it again`, { path: this.name });
    if (isExclusivePurpose(purpose, options)) this.#refuseAlone(purpose);
    if (this.#holds.size === 0) this.#lock();
    const hold: Hold = { release: () => this.#release(hold), takeAlone: () => this.#refuseAlone(purpose) };
    this.#holds.add(hold);
    return hold;
  }

  #refuseAlone(purpose: string): never {
    return fail('EBUSY', `${this.name} is mounted: ${purpose} needs it alone, unmount it first`, {
      path: this.name,
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#use?.close();
    this.#memory.close();
    for (const { backing } of this.#parts) backing.close();
    this.#onClose();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #within(start: number, end: number): Part[] {
    return this.#parts.filter((part) => part.start < end && start < part.end);
  }

  #insert(start: number, end: number, file: OpenPart | null): void {
    const part = file === null ? null : { ...file, from: start, length: end - start };
    const backing = new FileOfDevice(this.#backingFacts, part);
    this.#parts.push({ start, end, backing, isShown: file !== null });
    this.#memory.insert({ start: HPA + start, length: end - start, backing, offset: start });
  }

  /** Inserts a part that nobody maps, as one with its neighbours of that kind. */
  #insertHidden(start: number, end: number): void {
    let [from, to] = [start, end];
    for (const part of this.#parts.filter(
      ({ isShown, ...at }) => !isShown && (at.end === start || at.start === end),
    )) {
      this.#take(part);
      from = Math.min(from, part.start);
      to = Math.max(to, part.end);
    }
    this.#insert(from, to, null);
  }

  #take(part: Part): void {
    this.#memory.remove(HPA + part.start);
    part.backing.close();
    this.#parts.splice(this.#parts.indexOf(part), 1);
  }

  #release(hold: Hold): void {
    if (!this.#holds.delete(hold) || this.#holds.size > 0) return;
    this.#use?.close();
    this.#use = undefined;
  }

  #lock(): void {
    const { node } = this.#facts;
    const ranges = [{ start: 0, length: this.#facts.size }];
    const use = MemoryUse.open([{ name: this.name, ranges, open: () => openNode(node, this.writable) }]);
    const conflict = use.take('shared', this.name);
    if (!conflict) {
      this.#use = use;
      return;
    }
    const who = conflictText(conflict);
    use.close();
    fail('EBUSY', `${this.name} is in use by ${who}: let it end that first`, { path: this.name });
  }
}

function openNode(node: string, writable: boolean): number {
  try {
    return fs.openSync(node, writable ? 'r+' : 'r');
  } catch (error) {
    throw asDaxError(error, `${node} cannot be marked as in use`, node);
  }
}
