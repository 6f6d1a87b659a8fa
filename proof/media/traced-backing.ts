import { type Backing, memfdBacking } from '../../src/memory/index.js';
import type { Tracer } from './tracer.js';

/**
 * What is under the device.
 * shared: one host's memory, gone with its power. pmem: one host's, survives power loss. hosts: shared by hosts that do not see each
 * other's caches, and outlives any of them.
 */
export type MemoryKind = 'shared' | 'pmem' | 'hosts';

export const memoryKinds: readonly MemoryKind[] = ['shared', 'pmem', 'hosts'];

const PAGE_BYTES = 4096;

/**
 * Real memory (a memfd, mapped by the code under test as any device is) that says of itself what a `/dev/dax` device of its kind says,
 * and tells a tracer of every flush, fence and zeroing.
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
  /** As a device: all of it is there. */
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

  /** One host alone traces: its own caches are right. Several: see cached-host.ts. */
  invalidate(): void {}

  close(): void {
    this.#real.close();
  }
}
