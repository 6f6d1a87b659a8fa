import type { Access, Mapping, PhysicalRange } from './mapping.js';
import type { Placement } from './placement.js';
import { mappingRegistry, reportLeak, type Span } from './registry.js';

/** A span with what it is for. Must not hold handles or the buffer: those are the caller's, and collectable. */
interface SharedSpan {
  readonly key: string;
  readonly span: Span;
  readonly ranges: readonly PhysicalRange[];
  readonly length: number;
  readonly access: Access;
  /** Handles not closed yet. */
  open: number;
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
 * Lifetime: handles hang on the buffer (a weak table), so a view keeps its handles, and they their listeners, alive;
 * who drops handle and views without close() has them collected together, and the registry unmaps.
 */
export class MappingTable {
  readonly #spans = new Map<string, SharedSpan>();
  readonly #handles = new WeakMap<ArrayBuffer, Set<Handle>>();

  /** One more handle on a span that is there, or undefined. */
  share(key: string): Handle | undefined {
    const shared = this.#spans.get(key);
    const buffer = shared?.span.buffer.deref();
    return shared && buffer && this.#handle(shared, buffer);
  }

  /** The first handle on memory just placed. */
  open({ key, ranges, length, access, label }: SpanRequest, placement: Placement): Handle {
    const collected = () => {
      if (this.#spans.get(key) === shared) this.#spans.delete(key);
      reportLeak(label);
    };
    const { span, buffer } = mappingRegistry.open(placement, length, label, collected);
    const shared: SharedSpan = { key, span, ranges, length, access, open: 0 };
    this.#spans.set(key, shared);
    return this.#handle(shared, buffer);
  }

  /** The last close ends the span. */
  release(handle: Handle, shared: SharedSpan): void {
    this.#handles.get(handle.buffer)?.delete(handle);
    if (--shared.open > 0) return;
    this.#spans.delete(shared.key);
    mappingRegistry.end(shared.span);
  }

  /**
   * Ends every span that touches the bytes, then tells the listeners.
   * @returns how many open handles that ended
   */
  kill(start: number, length: number): number {
    const ended: Handle[] = [];
    for (const shared of [...this.#spans.values()]) {
      if (touches(shared.ranges, start, length)) this.#end(shared, ended);
    }
    tell(ended.flatMap((handle) => handle.endByKill()));
    return ended.length;
  }

  stats(): { mappings: number; mappedBytes: number } {
    let mappings = 0;
    let mappedBytes = 0;
    for (const { open, length } of this.#spans.values()) {
      mappings += open;
      mappedBytes += length;
    }
    return { mappings, mappedBytes };
  }

  #handle(shared: SharedSpan, buffer: ArrayBuffer): Handle {
    const handle = new Handle(this, shared, buffer);
    const siblings = this.#handles.get(buffer);
    if (siblings) siblings.add(handle);
    else this.#handles.set(buffer, new Set([handle]));
    shared.open++;
    return handle;
  }

  #end(shared: SharedSpan, ended: Handle[]): void {
    this.#spans.delete(shared.key);
    const buffer = shared.span.buffer.deref();
    if (buffer) ended.push(...(this.#handles.get(buffer) ?? []));
    mappingRegistry.end(shared.span);
  }
}

class Handle implements Mapping {
  readonly length: number;
  readonly address: number;
  readonly access: Access;
  #state: 'open' | 'closed' | 'killed' = 'open';
  #listeners: (() => void)[] = [];

  constructor(
    private readonly table: MappingTable,
    private readonly shared: SharedSpan,
    readonly buffer: ArrayBuffer,
  ) {
    this.length = shared.length;
    this.address = shared.span.placement.address;
    this.access = shared.access;
  }

  get alive(): boolean {
    return this.#state === 'open';
  }

  onKill(listener: () => void): void {
    if (this.#state === 'killed') listener();
    else if (this.#state === 'open') this.#listeners.push(listener);
  }

  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closed';
    this.#listeners = [];
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
