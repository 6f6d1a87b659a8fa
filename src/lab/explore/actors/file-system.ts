/** A file system as the bus sees it: it holds a device, maps pages of one file, and is told of failures. */
import { type DevDax, type DirectAccess, type HolderOperations, holdWhile } from '../../../dax/index.js';
import { fail } from '../../../libc/index.js';
import { type AddressSpace, PMD_ORDER, PMD_PAGES, PMD_SIZE } from '../../../mm/index.js';

interface Entry {
  readonly pfn: number;
  readonly order: number;
}

/** A failure that the file system was told of, in device bytes. */
export interface ToldFailure {
  readonly offset: number;
  readonly length: number;
}

export class FileSystem implements HolderOperations {
  /** The one file whose pages are mapped: file page = device page. */
  readonly file: AddressSpace;
  /** Unit (2 MiB of the device) -> the entry mapped there. Every entry holds one pin. */
  readonly entries = new Map<number, Entry>();
  #told: ToldFailure[] = [];
  #device: DevDax | null = null;
  #leaving: DevDax | null = null;
  #lost = false;

  constructor(readonly name: string) {
    this.file = { name: `file of ${name}` };
  }

  /** The mounted device, even if it has died since. */
  get device(): DevDax | null {
    return this.#device;
  }

  /** The device was taken away while it was mounted. */
  get lost(): boolean {
    return this.#lost;
  }

  /** The device that an unmount is giving back. */
  get leaving(): DevDax | null {
    return this.#leaving;
  }

  mount(device: DevDax): void {
    if (this.#device !== null || this.#leaving !== null) fail('EBUSY', `${this.name} is mounted`);
    holdWhile(device.dax, this, this, () => {
      this.#device = device;
      this.#lost = false;
    });
  }

  umount(): void {
    this.beginUmount()();
  }

  /** umount() in two steps: other events may come between the two. */
  beginUmount(): () => void {
    const device = this.#mounted();
    for (const unit of [...this.entries.keys()]) this.unfault(unit);
    this.#device = null;
    this.#leaving = device;
    const finish = device.dax.beginHolderPut(this);
    return () => {
      this.#leaving = null;
      finish();
    };
  }

  /** Loads through a mapping of the file: translates, makes the entry, pins. A PMD entry where the pages allow it, else a PTE. */
  fault(unit: number): DirectAccess {
    const { dax } = this.#usable();
    if (this.entries.has(unit)) fail('EEXIST', `unit ${unit} is mapped`);
    const pgoff = unit * PMD_PAGES;
    const found = dax.directAccess(pgoff, PMD_PAGES);
    const order = found.pages === PMD_PAGES && found.pfn % PMD_PAGES === 0 ? PMD_ORDER : 0;
    dax.pages.associate(found.pfn, order, this.file, pgoff);
    dax.pages.get(found.pfn, order);
    this.entries.set(unit, { pfn: found.pfn, order });
    return found;
  }

  /** Zeroes one page. */
  zero(pgoff: number): void {
    this.#usable().dax.zeroPageRange(pgoff, 1);
  }

  /** Removes the mapping of a unit, and its entry. */
  unfault(unit: number): void {
    const { dax } = this.#mounted();
    const entry = this.entries.get(unit) ?? fail('ENOENT', `unit ${unit} is not mapped`);
    this.entries.delete(unit);
    dax.pages.put(entry.pfn, entry.order);
    dax.pages.disassociate(entry.pfn);
  }

  notifyFailure(offset: number, length: number): void {
    if (this.#device === null) return;
    if (length === Number.POSITIVE_INFINITY) this.#loseDevice();
    else this.#loseMemory(offset, length);
  }

  /** Returns the memory failures it was told of since the last call. */
  takeTold(): ToldFailure[] {
    const told = this.#told;
    this.#told = [];
    return told;
  }

  #loseMemory(offset: number, length: number): void {
    this.#told.push({ offset, length });
    for (const unit of unitsOf(offset, length)) if (this.entries.has(unit)) this.unfault(unit);
  }

  /**
   * Ends all mappings at once. The pages keep their record of the file; the driver clears it, because entries of a dead device
   * are void.
   */
  #loseDevice(): void {
    const { dax } = this.#mounted();
    for (const { pfn, order } of this.entries.values()) dax.pages.put(pfn, order);
    this.entries.clear();
    this.#lost = true;
  }

  #mounted(): DevDax {
    return this.#device ?? fail('EINVAL', `${this.name} is not mounted`);
  }

  /** A file system that lost its device must be mounted again, even when the device comes back. */
  #usable(): DevDax {
    const device = this.#mounted();
    return this.#lost ? fail('ENXIO', `${this.name} lost its device`) : device;
  }
}

function unitsOf(offset: number, length: number): number[] {
  const first = Math.floor(offset / PMD_SIZE);
  const end = Math.ceil((offset + length) / PMD_SIZE);
  return Array.from({ length: end - first }, (_, at) => first + at);
}
