import type { Access, Mapping, PhysicalRange } from './mapping.js';
import type { Placement } from './placement.js';
import { mappingRegistry, reportLeak, type Span, type SpanEnd } from './registry.js';

/** A span with what it is for, and its handles. None of them holds the buffer: the registry does, until nobody has a view. */
interface SharedSpan {
  readonly key: string;
  readonly span: Span;
  readonly ranges: readonly PhysicalRange[];
  readonly length: number;
  readonly access: Access;
  /** Not closed yet. */
  readonly handles: Set<Handle>;
}

export interface SpanRequest {
  key: string;
  ranges: readonly PhysicalRange[];
  length: number;
  access: Access;
  label: string;
}

/**
 * The user mappings of one PhysicalMemory: one span, one ArrayBuffer per key; handles count its users.
 *
 * Lifetime: a span holds its handles, and they their listeners, until it ends. Who drops all views without close() has
 * them ended by the registry, which asks the collector.
 */
export class MappingTable {
  readonly #spans = new Map<string, SharedSpan>();
  /** Still mapped for somebody who moved their buffer away: zeroes take the place of their memory when it goes. */
  readonly #moved = new Set<SharedSpan>();

  /** One more handle on a span that is there, or undefined. */
  share(key: string): Handle | undefined {
    const shared = this.#spans.get(key);
    if (shared === undefined) return undefined;
    if (!shared.span.isMoved) return this.#handle(shared);
    this.#finish(shared, 'closed'); // its view is dead: who asks gets a new one
    return undefined;
  }

  /** The first handle on memory just placed. */
  open({ key, ranges, length, access, label }: SpanRequest, placement: Placement): Handle {
    const collected = () => {
      if (shared.span.isKept) this.#moved.add(shared);
      if (this.#spans.get(key) === shared) this.#spans.delete(key);
      if (shared.handles.size > 0) reportLeak(label);
      const handles = [...shared.handles];
      shared.handles.clear();
      tell(handles.flatMap((handle) => handle.endByCollector()));
    };
    const { span } = mappingRegistry.open('user', placement, length, label, collected);
    const shared: SharedSpan = { key, span, ranges, length, access, handles: new Set() };
    this.#spans.set(key, shared);
    return this.#handle(shared);
  }

  /** The last close ends the span. */
  release(handle: Handle, shared: SharedSpan): void {
    if (!shared.handles.delete(handle) || shared.handles.size > 0) return;
    this.#finish(shared, 'closed');
  }

  /**
   * Ends every span that touches the bytes, then tells the listeners.
   * @returns how many open handles that ended
   */
  kill(start: number, length: number): number {
    const ended: Handle[] = [];
    for (const shared of [...this.#spans.values()]) {
      if (!touches(shared.ranges, start, length)) continue;
      ended.push(...shared.handles);
      shared.handles.clear();
      this.#finish(shared, 'revoked');
    }
    for (const shared of this.#moved) {
      if (!touches(shared.ranges, start, length)) continue;
      ended.push(...shared.handles);
      shared.handles.clear();
      this.#moved.delete(shared);
      mappingRegistry.revokeKept(shared.span);
    }
    tell(ended.flatMap((handle) => handle.endByKill()));
    return ended.length;
  }

  stats(): { mappings: number; mappedBytes: number } {
    let mappings = 0;
    let mappedBytes = 0;
    for (const { handles, length } of this.#spans.values()) {
      mappings += handles.size;
      mappedBytes += length;
    }
    return { mappings, mappedBytes };
  }

  #handle(shared: SharedSpan): Handle {
    const handle = new Handle(this, shared);
    shared.handles.add(handle);
    return handle;
  }

  #finish(shared: SharedSpan, how: SpanEnd): void {
    if (this.#spans.get(shared.key) === shared) this.#spans.delete(shared.key);
    mappingRegistry.end(shared.span, how);
    if (shared.span.isKept && how === 'closed') this.#moved.add(shared);
  }
}

class Handle implements Mapping {
  readonly length: number;
  readonly address: number;
  readonly access: Access;
  #state: 'open' | 'closed' | 'killed' | 'collected' = 'open';
  #listeners: (() => void)[] = [];
  #collectedListeners: (() => void)[] = [];

  constructor(
    private readonly table: MappingTable,
    private readonly shared: SharedSpan,
  ) {
    this.length = shared.length;
    this.address = shared.span.placement.address;
    this.access = shared.access;
  }

  get buffer(): ArrayBuffer {
    return this.shared.span.buffer ?? new ArrayBuffer(0);
  }

  get alive(): boolean {
    return this.#state === 'open';
  }

  get isMoved(): boolean {
    return this.shared.span.isMoved || this.shared.span.isKept;
  }

  give<T extends object>(view: T): T {
    return mappingRegistry.give(this.shared.span, view);
  }

  onCollected(listener: () => void): void {
    if (this.#state === 'open') this.#collectedListeners.push(listener);
  }

  onKill(listener: () => void): void {
    if (this.#state === 'killed') listener();
    else if (this.#state === 'open') this.#listeners.push(listener);
  }

  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closed';
    this.#listeners = [];
    this.#collectedListeners = [];
    this.table.release(this, this.shared);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Returns who is to be told, once all that dies together is dead. */
  endByKill(): (() => void)[] {
    const listeners = this.#listeners;
    this.#state = 'killed';
    this.#listeners = [];
    this.#collectedListeners = [];
    return listeners;
  }

  /** As endByKill(). */
  endByCollector(): (() => void)[] {
    const listeners = this.#collectedListeners;
    this.#state = 'collected';
    this.#listeners = [];
    this.#collectedListeners = [];
    return listeners;
  }
}

/** One listener's failure keeps nobody else from being told. */
function tell(listeners: readonly (() => void)[]): void {
  const errors: unknown[] = [];
  for (const listener of listeners) {
    try {
      listener();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1)
    throw new AggregateError(errors, `${errors.length} listeners of ended mappings failed`);
}

function touches(ranges: readonly PhysicalRange[], start: number, length: number): boolean {
  return ranges.some((range) => range.start < start + length && start < range.start + range.length);
}
