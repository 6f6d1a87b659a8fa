import { type Backing, memfdBacking } from '../../src/memory/index.js';
import type { Tracer } from './tracer.js';

/**
 * The memory under the device.
 * shared: memory of one host, lost without power. pmem: memory of one host that survives power loss. hosts: memory shared by
 * hosts that do not see each other's caches; it outlives each of them.
 */
export type MemoryKind = 'shared' | 'pmem' | 'hosts';

export const memoryKinds: readonly MemoryKind[] = ['shared', 'pmem', 'hosts'];

const PAGE_BYTES = 4096;

/**
 * Real memory (a memfd, which the code under test maps like a device) with the properties of a `/dev/dax` device of its kind. It
 * reports every flush, fence and zeroing to a tracer.
 */
export class TracedBacking implements Backing {
  readonly kind = 'devdax';
  readonly sharedOnly = true;
  readonly granule = PAGE_BYTES;
  readonly writable = true;
  readonly canShrink = false;
  readonly isSparse = false;
  readonly coherent: boolean;
  readonly persistent: boolean;
  readonly name: string;
  readonly size: number;
  tracer: Tracer | undefined;
  readonly #real: Backing;

  constructor(name: string, size: number, memory: MemoryKind) {
    this.#real = memfdBacking(name, size);
    this.name = name;
    this.size = size;
    this.coherent = memory !== 'hosts';
    this.persistent = memory === 'pmem';
  }

  get fd(): number {
    return this.#real.fd;
  }
  get identity(): string {
    return this.#real.identity;
  }

  checkRange(offset: number, length: number): void {
    this.#real.checkRange(offset, length);
  }
  endNow(): number {
    return this.size;
  }
  /** Like a device: everything is there. */
  ensure(): boolean {
    return true;
  }

  zero(offset: number, length: number): void {
    this.tracer?.findStores();
    this.#real.zero(offset, length);
    this.tracer?.stored(offset, length);
  }

  sync(offset: number, length: number): void {
    if (this.coherent && !this.persistent) return;
    this.tracer?.flushed(offset, length);
  }

  fenced(): void {
    this.tracer?.fenced();
  }

  /** Only one host is traced, and its own caches are coherent. For several hosts see cached-host.ts. */
  invalidate(): void {}

  close(): void {
    this.#real.close();
  }
}
