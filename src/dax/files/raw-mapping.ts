import { fail } from '../../libc/index.js';
import type { Mapping, PhysicalRange } from '../../memory/index.js';
import { PAGE_SIZE } from '../../mm/index.js';
import type { DevDax, Zappable } from '../regions/dev-dax.js';

/** A real mapping of a device_dax device: a mapping of memory/, with pins on its folios (I5) until close or kill. */
export class RawMapping implements Mapping, Zappable {
  readonly #mapping: Mapping;
  #pinned = true;
  readonly #device: DevDax;
  readonly #pieces: readonly PhysicalRange[];
  readonly #ended: () => void;

  constructor(device: DevDax, pieces: readonly PhysicalRange[], writable: boolean, ended: () => void) {
    this.#device = device;
    this.#pieces = pieces;
    this.#ended = ended;
    const { memory, pages } = device.platform;
    if (memory === null) fail('ENXIO', `${device.name}: this bus models no memory`);
    this.#mapping = memory.map([...pieces], {
      access: writable ? 'shared' : 'protected',
      label: device.name,
    });
    for (const piece of pieces) pages.getRange(piece.start / PAGE_SIZE, piece.length / PAGE_SIZE);
    device.mappings.add(this);
    this.#mapping.onKill(() => this.#unpin());
    this.#mapping.onCollected(() => this.#unpin());
  }

  get buffer(): ArrayBuffer {
    return this.#mapping.buffer;
  }

  get length(): number {
    return this.#mapping.length;
  }

  get address(): number {
    return this.#mapping.address;
  }

  get access(): Mapping['access'] {
    return this.#mapping.access;
  }

  get ranges(): readonly PhysicalRange[] {
    return this.#pieces;
  }

  get alive(): boolean {
    return this.#mapping.alive;
  }

  get isMoved(): boolean {
    return this.#mapping.isMoved;
  }

  give<T extends object>(view: T): T {
    return this.#mapping.give(view);
  }

  view(start: number, length: number): Uint8Array {
    return this.#mapping.view(start, length);
  }

  /** The pinned ranges, for the checker; none after close or kill. */
  get pins(): readonly PhysicalRange[] {
    return this.#pinned ? this.#pieces : [];
  }

  onKill(listener: () => void): void {
    this.#mapping.onKill(listener);
  }

  onCollected(listener: () => void): void {
    this.#mapping.onCollected(listener);
  }

  /** Drops the pins. The kill of the memory that follows detaches the buffer. */
  zap(): void {
    this.#unpin();
  }

  close(): void {
    this.#mapping.close();
    this.#unpin();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #unpin(): void {
    if (!this.#pinned) return;
    this.#pinned = false;
    const { pages } = this.#device.platform;
    for (const piece of this.#pieces) pages.putRange(piece.start / PAGE_SIZE, piece.length / PAGE_SIZE);
    this.#device.mappings.delete(this);
    this.#ended();
  }
}
