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

/** The bus device of a dax device. */
export interface DaxOwner {
  /** Name of the bound driver, null when none. */
  readonly driver: string | null;
}

/**
 * The core object that a file system uses (struct dax_device): dev_t, alive, operations, holder. It is made with its bus
 * device, becomes alive when a driver runs it, and is killed at unbind. Offsets are pages where named pgoff, else bytes.
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

  /** True after beginKill(), until kill() ends. */
  get dying(): boolean {
    return this.#dying;
  }

  get ops(): DaxOperations | null {
    return this.#ops;
  }

  /** Bytes that a file system can address: the sum of the ranges while bound to fsdev_dax, else 0. */
  get size(): number {
    return this.#ops?.size ?? 0;
  }

  /** @throws DaxError ENXIO the bus has no memory */
  get memory(): PhysicalMemory {
    return (
      this.platform.memory ?? fail('ENXIO', `${this.name}: this bus models no memory`, { path: this.name })
    );
  }

  get pages(): PageTable {
    return this.platform.pages;
  }

  /** The holder: at most one file system. */
  get holder(): object | null {
    return this.#holder;
  }

  /** References that holderGet() took and holderPut() did not give back. */
  get references(): number {
    return this.#references;
  }

  /** The number of calls inside the device now. Kill has to wait for them. */
  get readers(): number {
    return this.#readers;
  }

  /** Grows with every run(). A translation from an older generation is void. */
  get generation(): number {
    return this.#generation;
  }

  // ---- file systems call these ----

  /**
   * Translates `pages` pages at `pgoff`. The answer may have fewer pages: it never crosses a physical range, the end, or (mode
   * access) a poisoned page.
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

  /**
   * The physical ranges of bytes of the device, in order; adjacent ranges are joined. Poisoned pages are included.
   * @throws DaxError as directAccess()
   */
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

  /**
   * Zeroes any number of whole pages, and clears their poison.
   * @throws DaxError ENXIO not alive; EOPNOTSUPP no operations; ERANGE beyond the end (nothing is written)
   */
  zeroPageRange(pgoff: number, pages: number): void {
    this.#running().zeroPageRange(pgoff, pages);
  }

  /**
   * Writes bytes over poison, from `offsetInPage` of page `pgoff` on. Clears the poison of every page that is written whole.
   * @returns bytes written; 0 when the driver has no recovery write
   * @throws DaxError ENXIO not alive; EOPNOTSUPP no operations
   */
  recoveryWrite(pgoff: number, offsetInPage: number, bytes: Uint8Array): number {
    return this.#running().recoveryWrite?.(pgoff, offsetInPage, bytes) ?? 0;
  }

  /**
   * Makes `holder` the one file system of this device (fs_dax_get).
   * @throws DaxError ENODEV gone, not alive or no driver; EOPNOTSUPP bound to another driver than fsdev_dax; EBUSY held already
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

  /** Whether the holder would be told of a failure. */
  get tellsHolder(): boolean {
    return this.#holderOps !== null;
  }

  /** Gives the device back (fs_put_dax). When `holder` does not hold it, only the reference count changes. */
  holderPut(holder: object): void {
    this.beginHolderPut(holder)();
  }

  /**
   * holderPut() in two steps, for models of concurrency. The operations go first: as long as the holder is there, nobody else can get
   * the device. (Before Linux 7.4 the holder went first, and the second step took the operations of the next one.)
   */
  beginHolderPut(holder: object): () => void {
    const isHolderFirst = this.platform.quirks.has('holder-cleared-first');
    if (this.#holder === holder) {
      if (isHolderFirst) this.#holder = null;
      else this.#holderOps = null;
    }
    return () => {
      if (isHolderFirst) this.#takeOpsOfNext();
      else if (this.#holder === holder) this.#holder = null;
      this.#references--;
    };
  }

  /** Marks the start of a call into the device. The returned function marks its end; kill is EDEADLK until then. */
  readLock(): () => void {
    this.#readers++;
    let held = true;
    return () => {
      if (held) this.#readers--;
      held = false;
    };
  }

  // ---- drivers call these ----

  /** Sets the dax operations; null removes them. @throws DaxError EBUSY there are some already */
  setOps(ops: DaxOperations | null): void {
    if (ops !== null && this.#ops !== null) fail('EBUSY', `${this.name} has dax operations already`);
    this.#ops = ops;
  }

  /** Makes the device alive. */
  run(): void {
    this.#alive = true;
    this.#generation++;
  }

  /** Checks that no call is inside, before anything is undone. @throws DaxError EDEADLK kill would wait for ever (one thread) */
  mustHaveNoReaders(): void {
    if (this.#readers > 0)
      fail('EDEADLK', `${this.name} has ${this.#readers} calls inside: it cannot be killed from within one`);
  }

  /** The first half of kill, for models of concurrency: tells the holder, and lets no new call in. Readers may still be inside. */
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

  /** Tells the holder, makes the device not alive, and clears the holder. The caller tears down mappings. @throws DaxError EDEADLK */
  kill(): void {
    this.mustHaveNoReaders();
    this.beginKill();
    this.#dying = false;
    this.#holder = null;
    this.#holderOps = null;
  }

  /** Reports failed pages to the holder. @throws DaxError ENXIO not alive; EOPNOTSUPP no holder; or what the holder throws */
  notifyFailure(offset: number, length: number, flags: number): void {
    this.beginNotifyFailure(offset, length, flags)();
  }

  /**
   * notifyFailure() in two steps, for models of concurrency: other events may come between the two. The holder's operations
   * are read once (upstream read them twice around a put).
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

  /** What the second step of the wrong order does (quirk holder-cleared-first). */
  #takeOpsOfNext(): void {
    this.#holderOps = null;
    if (this.#holder !== null)
      this.platform.report({
        quirk: 'holder-cleared-first',
        invariant: 'I3',
        text: `${this.name}: a put took the operations of the next holder, which would not be told of a failure`,
      });
  }

  #running(): DaxOperations {
    if (!this.#alive)
      fail('ENXIO', `${this.name} is not alive: it was disabled or removed`, { path: this.name });
    return this.#ops ?? fail('EOPNOTSUPP', `${this.name} is not in famfs mode`, { path: this.name });
  }
}

/**
 * Gets a device for a holder and runs the rest of a mount. When the rest fails, the device is put again.
 * (Upstream's mount put the device also when getting it had failed: quirk put-when-get-failed.)
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
