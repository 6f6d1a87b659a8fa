import { fail } from '../../libc/index.js';
import { type AddressSpace, orderOfAlign, PAGE_SIZE, PMD_SIZE } from '../../mm/index.js';
import { MF_ACTION_REQUIRED } from '../core/operations.js';
import type { Zappable } from '../regions/dev-dax.js';
import { type FailedUnit, type MappedFile, unitAddress } from './file-host.js';
import { type Piece, type PieceState, Pieces, pageEnd } from './pieces.js';

/** The result of an access: a byte, or the signal that the kernel would send (offset: si_addr from the start of the mapping). */
export type SignalAnswer =
  | { ok: true; value: number }
  | {
      ok: false;
      signal: 'SIGBUS' | 'SIGSEGV';
      code: 'BUS_ADRERR' | 'SEGV_ACCERR' | 'SEGV_MAPERR';
      offset: number;
    };

/** Advice that changes the state of pieces. Like mprotect, it can split a mapping only at unit boundaries. */
const STATE_ADVICE: Readonly<Record<string, Partial<PieceState>>> = {
  hugepage: { huge: true },
  nohugepage: { huge: false },
  dofork: { inherited: true },
  dontfork: { inherited: false },
};
/** Advice that device memory accepts and ignores. */
const IGNORED_ADVICE: readonly string[] = [
  'willneed',
  'mergeable',
  'unmergeable',
  'cold',
  'pageout',
  'normal',
  'random',
  'sequential',
  'dontdump',
  'dodump',
];

/**
 * One mmap(2) of a device_dax device in the model. It answers loads and stores as the kernel does; a signal is a returned
 * value. Faults map whole units of the device's align, and a mapped unit holds a reference on its folio.
 */
export class Vma implements Zappable {
  /** Unit number -> pfn of the folio that is mapped there. */
  readonly #units = new Map<number, number>();
  readonly #pieces: Pieces;

  constructor(
    readonly file: MappedFile<Vma>,
    readonly address: number,
    /** Bytes at mmap time. */
    readonly length: number,
    /** Device offset, bytes. */
    readonly offset: number,
    readonly prot: string,
    pieces: readonly Piece[] = [{ start: 0, end: length, prot, huge: true, inherited: true }],
  ) {
    this.#pieces = new Pieces(file.device.name, length, file.device.align, pieces);
    file.device.mappings.add(this);
    file.host.vmas.add(this);
  }

  get mapping(): AddressSpace {
    return this.file.device.inode;
  }

  /** Bytes that are still mapped, in order. */
  get pieces(): readonly Piece[] {
    return this.#pieces.list;
  }

  /** The mapped units: unit number -> pfn. */
  get mappedUnits(): ReadonlyMap<number, number> {
    return this.#units;
  }

  get unitBytes(): number {
    return this.file.device.align;
  }

  /** Reads one byte at `offset` (bytes from the start of the mapping). */
  load(offset: number): SignalAnswer {
    const wrong = this.#access(offset, false);
    if (wrong !== null) return wrong;
    return { ok: true, value: this.#byte(offset)?.[0] ?? 0 };
  }

  store(offset: number, byte: number): SignalAnswer {
    const wrong = this.#access(offset, true);
    if (wrong !== null) return wrong;
    const at = this.#byte(offset);
    if (at !== null) at[0] = byte;
    return { ok: true, value: byte };
  }

  /** Stores the byte to all of [offset, offset + length). Stops at the first access that gets a signal, and returns it. */
  fill(byte: number, offset = 0, length = this.length - offset): SignalAnswer {
    const unit = Math.min(this.unitBytes, PMD_SIZE);
    for (let at = offset; at < offset + length; ) {
      const wrong = this.#access(at, true);
      if (wrong !== null) return wrong;
      const end = Math.min(offset + length, (Math.floor(at / unit) + 1) * unit);
      this.#bytes(at, end - at)?.fill(byte);
      at = end;
    }
    return { ok: true, value: byte };
  }

  /** MAP_POPULATE, mlock: maps units up to the first one that has no page. */
  populate(): void {
    for (const piece of this.#pieces.list)
      for (let at = piece.start; at < piece.end; at += this.unitBytes)
        if (piece.prot !== '' && !this.#fault(at)) return;
  }

  /** munmap(2). @throws DaxError EINVAL a part that begins or ends inside a unit, or has length 0 */
  munmap(offset = 0, length = this.length - offset): void {
    if (!(length > 0)) fail('EINVAL', `cannot unmap ${length} bytes of ${this.file.device.name}`);
    const end = pageEnd(offset, length);
    this.#pieces.remove(offset, end);
    this.#zapUnits(offset, end);
    if (this.#pieces.list.length > 0) return;
    this.file.device.mappings.delete(this);
    this.file.host.vmas.delete(this);
    this.file.unmapped(this);
  }

  /** mprotect(2). @throws DaxError EACCES write on a file open read-only; EINVAL not at unit boundaries; ENOMEM not all mapped */
  mprotect(offset: number, length: number, prot: string): void {
    if (offset % PAGE_SIZE !== 0) fail('EINVAL', `${offset} is not a multiple of ${PAGE_SIZE}`);
    const end = pageEnd(offset, length);
    this.#pieces.mustCover(offset, end);
    if (prot.includes('w') && !this.file.writable)
      fail('EACCES', `${this.file.device.name} is open read-only: its mapping stays so`);
    this.#pieces.change(offset, end, { prot });
  }

  msync(): never {
    return fail('EINVAL', `${this.file.device.name} has nothing to sync to`);
  }

  mlock(): void {
    this.populate();
  }

  /** mremap(2): shrinking unmaps the tail. @throws DaxError EFAULT growing */
  mremap(length: number): void {
    if (length > this.length) fail('EFAULT', `a mapping of ${this.file.device.name} cannot grow`);
    if (length < this.length) this.munmap(length);
  }

  /**
   * madvise(2).
   * @returns for hwpoison: the units for which the caller would get a signal (BUS_MCEERR_AR)
   * @throws DaxError EINVAL advice that is not for device memory, or that would split a unit; ENOMEM not all mapped; EFAULT populate,
   *   hwpoison: no page; EACCES, ENODEV remove; EIO soft_offline
   */
  madvise(offset: number, length: number, advice: string): FailedUnit<Vma>[] {
    if (offset % PAGE_SIZE !== 0) fail('EINVAL', `${offset} is not a multiple of ${PAGE_SIZE}`);
    const end = pageEnd(offset, length);
    if (end === offset) return [];
    if (advice === 'hwpoison' || advice === 'soft_offline') return this.#fail(offset, length, advice);
    if (advice === 'populate_read' || advice === 'populate_write')
      this.#populateOrFail(offset, end, advice === 'populate_write');
    else if (advice === 'dontneed') this.#zapUnits(offset, end);
    else if (advice === 'remove') this.#punch();
    else if (Object.hasOwn(STATE_ADVICE, advice)) this.#pieces.change(offset, end, STATE_ADVICE[advice]!);
    else if (!IGNORED_ADVICE.includes(advice)) fail('EINVAL', `madvise ${advice} is not for device memory`);
    // As in the kernel, the advice was applied to the mapped parts before this check.
    this.#pieces.mustCover(offset, end);
    return [];
  }

  /** A forked child's mapping of the same bytes. It starts without pages. */
  fork(): Vma {
    const pieces = this.pieces.filter(({ inherited }) => inherited);
    const child = new Vma(this.file, this.address, this.length, this.offset, this.prot, pieces);
    this.file.adopt(child);
    return child;
  }

  /** Unmaps all units. The mapping stays: an access faults again, and gets SIGBUS when the file is dead. */
  zap(): void {
    this.#zapUnits(0, this.length);
  }

  /** The mapped unit that holds a physical page, as a memory failure reports it; null when it is not mapped here. */
  failedUnit(hpa: number): FailedUnit<Vma> | null {
    for (const [unit, pfn] of this.#units) {
      const start = pfn * PAGE_SIZE;
      if (hpa >= start && hpa < start + this.unitBytes)
        return { vma: this, offset: unit * this.unitBytes, lsb: Math.log2(this.unitBytes) };
    }
    return null;
  }

  // ---- internals ----

  #access(offset: number, write: boolean): SignalAnswer | null {
    const piece = this.#pieces.at(offset);
    if (piece === undefined) return { ok: false, signal: 'SIGSEGV', code: 'SEGV_MAPERR', offset };
    if (write ? !piece.prot.includes('w') : piece.prot === '')
      return { ok: false, signal: 'SIGSEGV', code: 'SEGV_ACCERR', offset };
    return this.#fault(offset) ? null : { ok: false, signal: 'SIGBUS', code: 'BUS_ADRERR', offset };
  }

  /** Maps the unit at `offset`. False when there is no page for it. */
  #fault(offset: number): boolean {
    const { file } = this;
    const { device } = file;
    const unit = Math.floor(offset / this.unitBytes);
    if (this.#units.has(unit)) return true;
    if (!file.live || device.binding?.file !== 'mmap') return this.#deadFault();
    if (this.unitBytes > PAGE_SIZE && this.#pieces.at(offset)?.huge === false) return false;
    const pgoff = (this.offset + unit * this.unitBytes) / PAGE_SIZE;
    const start = unitAddress(file.ranges, pgoff, this.unitBytes);
    if (start === null) return this.#unknownFault(pgoff);
    const { pages } = device.platform;
    const pfn = start / PAGE_SIZE;
    pages.mapFolio(pfn, this.mapping, pgoff);
    pages.get(pfn, orderOfAlign(this.unitBytes));
    this.#units.set(unit, pfn);
    return true;
  }

  #deadFault(): false {
    const { device, binding } = this.file;
    if (device.binding?.file === 'open' && binding?.file === 'mmap' && this.file.live)
      device.platform.report({
        quirk: 'kernel72-rebind-open-file',
        invariant: 'I6',
        text: `${device.name}: a device_dax mapping faults under fsdev_dax (WARN in vmf_insert_folio_pmd)`,
      });
    return false;
  }

  #unknownFault(pgoff: number): false {
    const { device } = this.file;
    if (device.platform.quirks.has('kernel72-mapping-while-bound'))
      if (unitAddress(device.ranges, pgoff, this.unitBytes) !== null)
        device.platform.report({
          quirk: 'kernel72-mapping-while-bound',
          invariant: 'I10',
          text: `${device.name}: access to a range added while bound, it has no pages (Oops in dax_set_mapping)`,
        });
    return false;
  }

  #zapUnits(from: number, to: number): void {
    const { pages } = this.file.device.platform;
    const order = orderOfAlign(this.unitBytes);
    for (const [unit, pfn] of this.#units) {
      const start = unit * this.unitBytes;
      if (start < from || start >= to) continue;
      this.#units.delete(unit);
      pages.put(pfn, order);
      if (pages.refcount(pfn) === 0) pages.unmapFolio(pfn);
    }
  }

  #byte(offset: number): Uint8Array | null {
    return this.#bytes(offset, 1);
  }

  /** An own view of bytes inside one mapped unit; null on a bus without memory. */
  #bytes(offset: number, length: number): Uint8Array | null {
    const { memory } = this.file.device.platform;
    if (memory === null) return null;
    const unit = Math.floor(offset / this.unitBytes);
    const start = this.#units.get(unit)! * PAGE_SIZE + (offset - unit * this.unitBytes);
    return memory.bytes(start, length);
  }

  #fail(offset: number, length: number, advice: 'hwpoison' | 'soft_offline'): FailedUnit<Vma>[] {
    const told: FailedUnit<Vma>[] = [];
    for (let at = offset; at < offset + length; at += this.unitBytes) {
      if (!this.#fault(at)) fail('EFAULT', `no page at ${at} of the mapping`);
      const unit = Math.floor(at / this.unitBytes);
      const hpa = this.#units.get(unit)! * PAGE_SIZE + (at - unit * this.unitBytes);
      if (advice === 'soft_offline') this.file.host.softOffline(hpa);
      else {
        const { mappers } = this.file.host.hardOffline(hpa, MF_ACTION_REQUIRED);
        told.push(...mappers.filter(({ vma }) => vma === this));
      }
    }
    return told;
  }

  #populateOrFail(from: number, to: number, write: boolean): void {
    for (let at = from; at < to; at += this.unitBytes) {
      const { prot } = this.#pieces.at(at) ?? fail('ENOMEM', `nothing is mapped at ${at}`);
      if (write ? !prot.includes('w') : prot === '')
        fail('EINVAL', `the mapping at ${at} is not to be ${write ? 'written' : 'read'}`);
      if (!this.#fault(at)) fail('EFAULT', `no page at ${at} of the mapping`);
    }
  }

  /** MADV_REMOVE is a fallocate of the file. */
  #punch(): never {
    const { device, writable } = this.file;
    if (!writable) fail('EACCES', `${device.name} is open read-only`);
    return fail('ENODEV', `${device.name} has no holes`);
  }
}
