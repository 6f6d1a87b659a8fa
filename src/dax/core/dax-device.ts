import { appendJoined, fail, startsWhereEnds } from '../../libc/index.js';
import type { PhysicalMemory, PhysicalRange } from '../../memory/index.js';
import { PAGE_SIZE, type PageTable } from '../../mm/index.js';
import {
  type AccessMode,
  type DaxOperations,
  type DirectAccess,
  type HolderOperations,
  MF_MEM_PRE_REMOVE,
} from './operations.js';
import type { Platform } from './platform.js';

/** Who stands behind a dax device: the bus device and the driver bound to it. */
export interface DaxOwner {
  /** Name of the bound driver, null when none. */
  readonly driver: string | null;
}

/**
 * The core object a file system sees (struct dax_device): dev_t, alive, operations, holder. Made with its bus device, not
 * alive until a driver runs it; killed at unbind. All offsets in pages where named pgoff, else bytes.
 */
export class DaxDevice {
  #alive = false;
  #dying = false;
  #ops: DaxOperations | null = null;
  #holder: object | null = null;
  #holderOps: HolderOperations | null = null;
  #references = 0;
  #readers = 0;
  #generation = 0;

  constructor(
    readonly name: string,
    /** "maj:min". */
    readonly devt: string,
    readonly platform: Platform,
    readonly owner: DaxOwner,
  ) {}

  get alive(): boolean {
    return this.#alive;
  }

  /** Kill has begun and waits for readers. */
  get dying(): boolean {
    return this.#dying;
  }

  get ops(): DaxOperations | null {
    return this.#ops;
  }

  /** Bytes a file system can address: the sum of the ranges while bound to fsdev_dax, 0 else. */
  get size(): number {
    return this.#ops?.size ?? 0;
  }

  /** ENXIO on a bus without memory. */
  get memory(): PhysicalMemory {
    return (
      this.platform.memory ?? fail('ENXIO', `${this.name}: this bus models no memory`, { path: this.name })
    );
  }

  get pages(): PageTable {
    return this.platform.pages;
  }

  /** Who holds it: one file system at most. */
  get holder(): object | null {
    return this.#holder;
  }

  /** References taken by holderGet and not put. */
  get references(): number {
    return this.#references;
  }

  /** Calls inside it now; kill has to wait for them. */
  get readers(): number {
    return this.#readers;
  }

  /** Grows with every run(): what was translated under an older one is void. */
  get generation(): number {
    return this.#generation;
  }

  // ---- file systems call these ----

  /**
   * Where `pages` pages at `pgoff` are. The answer may be shorter than asked: it never crosses a physical range, the end,
   * or (mode access) a poisoned page.
   * @throws DaxError ENXIO not alive; EOPNOTSUPP no operations (not in famfs mode); EINVAL pages < 0; ERANGE at or past the end;
   *   EHWPOISON the first page is poisoned
   */
  directAccess(pgoff: number, pages: number, mode: AccessMode = 'access'): DirectAccess {
    const ops = this.#running();
    if (!(pages >= 0) || !(pgoff >= 0))
      fail('EINVAL', `${this.name}: cannot translate ${pages} pages at page ${pgoff}`, { path: this.name });
    const answer = ops.directAccess(pgoff, pages, mode);
    if (answer === null || answer.pages === 0)
      fail('ERANGE', `${this.name}: page ${pgoff} is beyond the end (${ops.size} bytes)`, {
        path: this.name,
      });
    return answer;
  }

  /** Where bytes of the device lie in physical memory, in order; neighbours are one range. Poisoned pages are included. @throws DaxError as directAccess() */
  physicalRanges(offset: number, length: number): PhysicalRange[] {
    const ranges: PhysicalRange[] = [];
    const end = offset + length;
    for (let at = offset; at < end; ) {
      const inPage = at % PAGE_SIZE;
      const wanted = Math.ceil((inPage + end - at) / PAGE_SIZE);
      const { hpa, pages } = this.directAccess((at - inPage) / PAGE_SIZE, wanted, 'recovery');
      const bytes = Math.min(end - at, pages * PAGE_SIZE - inPage);
      appendJoined(ranges, { start: hpa + inPage, length: bytes }, startsWhereEnds);
      at += bytes;
    }
    return ranges;
  }

  /** Zeroes whole pages, any count; clears their poison. ENXIO, EOPNOTSUPP, ERANGE (then nothing is written). */
  zeroPageRange(pgoff: number, pages: number): void {
    this.#running().zeroPageRange(pgoff, pages);
  }

  /**
   * Writes over poison: bytes from `offsetInPage` of page `pgoff` on; clears the poison of every page written whole.
   * @returns bytes written, 0 when the driver cannot
   */
  recoveryWrite(pgoff: number, offsetInPage: number, bytes: Uint8Array): number {
    return this.#running().recoveryWrite?.(pgoff, offsetInPage, bytes) ?? 0;
  }

  /**
   * Makes `holder` the one file system of this device (fs_dax_get).
   * @throws DaxError ENODEV gone, not alive or no driver; EOPNOTSUPP bound to another driver than fsdev_dax; EBUSY held
   */
  holderGet(holder: object, ops: HolderOperations): void {
    if (!this.#alive || this.owner.driver === null)
      fail('ENODEV', `${this.name} is not enabled: enable it in famfs mode`, { path: this.name });
    if (this.owner.driver !== 'fsdev_dax')
      fail('EOPNOTSUPP', `${this.name} is bound to ${this.owner.driver}: reconfigure it to famfs mode`, {
        path: this.name,
      });
    if (this.#holder !== null)
      fail('EBUSY', `${this.name} is held by a file system already`, { path: this.name });
    this.#holder = holder;
    this.#holderOps = ops;
    this.#references++;
  }

  /** Gives it back. By someone who is not the holder nothing changes but the reference count. */
  holderPut(holder: object): void {
    if (this.#holder === holder) {
      this.#holder = null;
      this.#holderOps = null;
    }
    this.#references--;
  }

  /** A call into the device starts; kill waits until the returned function was called. */
  readLock(): () => void {
    this.#readers++;
    let held = true;
    return () => {
      if (held) this.#readers--;
      held = false;
    };
  }

  // ---- drivers call these ----

  /** EBUSY when some are set; null takes them out. */
  setOps(ops: DaxOperations | null): void {
    if (ops !== null && this.#ops !== null) fail('EBUSY', `${this.name} has dax operations already`);
    this.#ops = ops;
  }

  /** Alive from here on. */
  run(): void {
    this.#alive = true;
    this.#generation++;
  }

  /** EDEADLK when a call is inside: kill would wait for it for ever (one thread). Ask before anything is undone. */
  mustHaveNoReaders(): void {
    if (this.#readers > 0)
      fail('EDEADLK', `${this.name} has ${this.#readers} calls inside: it cannot be killed from within one`);
  }

  /** First half of kill, for models of concurrency: the holder is told, no new call gets in; readers may still be inside. */
  beginKill(): void {
    if (!this.#alive) return;
    try {
      this.#holderOps?.notifyFailure(0, Number.POSITIVE_INFINITY, MF_MEM_PRE_REMOVE);
    } catch (error) {
      this.platform.log(3, `${this.name}: its holder failed to let go: ${String(error)}`);
    }
    this.#alive = false;
    this.#dying = true;
  }

  /** Tells the holder, is not alive any more, forgets the holder. Mappings are the caller's to tear down. */
  kill(): void {
    this.mustHaveNoReaders();
    this.beginKill();
    this.#dying = false;
    this.#holder = null;
    this.#holderOps = null;
  }

  /** Pages failed: the holder's answer. ENXIO not alive; EOPNOTSUPP nobody holds it; or what the holder throws. */
  notifyFailure(offset: number, length: number, flags: number): void {
    this.beginNotifyFailure(offset, length, flags)();
  }

  /**
   * The same in two steps, for models of concurrency: other events may come between the two. The holder's operations are
   * read once (upstream read them twice around a put).
   */
  beginNotifyFailure(offset: number, length: number, flags: number): () => void {
    if (!this.#alive) fail('ENXIO', `${this.name} is not alive`, { path: this.name });
    const ops = this.#holderOps;
    if (ops === null) fail('EOPNOTSUPP', `${this.name} has no holder to tell`, { path: this.name });
    const unlock = this.readLock();
    return () => {
      try {
        const current = this.platform.quirks.has('holder-ops-read-twice') ? this.#holderOps : ops;
        if (current === null)
          return this.platform.report({
            quirk: 'holder-ops-read-twice',
            invariant: 'I3',
            text: `${this.name}: holder operations used after the holder put the device`,
          });
        current.notifyFailure(offset, length, flags);
      } finally {
        unlock();
      }
    };
  }

  #running(): DaxOperations {
    if (!this.#alive)
      fail('ENXIO', `${this.name} is not alive: it was disabled or removed`, { path: this.name });
    return this.#ops ?? fail('EOPNOTSUPP', `${this.name} is not in famfs mode`, { path: this.name });
  }
}

/**
 * What a mount does: take the device, do the rest, give it back when the rest fails.
 * (Upstream's mount gave it back also when taking it had failed: quirk put-when-get-failed.)
 */
export function holdWhile<T>(device: DaxDevice, holder: object, ops: HolderOperations, rest: () => T): T {
  try {
    device.holderGet(holder, ops);
  } catch (error) {
    if (device.platform.quirks.has('put-when-get-failed')) device.holderPut(holder);
    throw error;
  }
  try {
    return rest();
  } catch (error) {
    device.holderPut(holder);
    throw error;
  }
}
