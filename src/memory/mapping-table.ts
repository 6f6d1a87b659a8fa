import type { Access, Mapping, PhysicalRange, SpanOwner } from './mapping.js';
import type { Placement } from './placement.js';
import { mappingRegistry, reportLeak, type Span, type SpanEnd } from './registry.js';

export interface SpanRequest {
  owner: SpanOwner;
  /** Tells the spans of one owner apart. */
  name: string;
  ranges: readonly PhysicalRange[];
  length: number;
  access: Access;
  label: string;
}

/** A span, its request, and its open handles. They do not hold the buffer: the registry does, as long as a view exists. */
class SharedSpan {
  /** Not closed yet. */
  readonly handles = new Set<Handle>();
  readonly #views = new Map<string, WeakRef<Uint8Array>>();

  constructor(
    readonly request: SpanRequest,
    readonly span: Span,
  ) {}

  view(start: number, length: number): Uint8Array {
    const key = `${start}+${length}`;
    const known = this.#views.get(key)?.deref();
    if (known !== undefined) return known;
    const { buffer } = this.span;
    if (buffer === undefined || buffer.byteLength === 0) return new Uint8Array(0);
    const view = mappingRegistry.give(this.span, new Uint8Array(buffer, start, length));
    this.#views.set(key, new WeakRef(view));
    return view;
  }

  /** Removes and returns all open handles. */
  takeHandles(): Handle[] {
    const handles = [...this.handles];
    this.handles.clear();
    return handles;
  }
}

/** The spans of one owner: by name, the span that a new mapping shares; and all spans that have open handles. */
interface OwnedSpans {
  readonly named: Map<string, SharedSpan>;
  readonly used: Set<SharedSpan>;
}

/**
 * The user mappings of one PhysicalMemory. It alone shares spans and counts their uses: there is one span and one
 * ArrayBuffer per owner and name. A caller keeps the handle it got, and counts nothing.
 *
 * Lifetime: a span holds its handles, and each handle its listeners, until the span ends. When all views were dropped
 * without close(), the registry finds that out from the garbage collector and ends the span.
 */
export class MappingTable {
  readonly #owned = new Map<SpanOwner, OwnedSpans>();
  /** Ended spans that stay mapped because their buffer was moved away. When their memory goes, zero pages replace it. */
  readonly #moved = new Set<SharedSpan>();

  /** Gives one more handle on an existing span; undefined when there is none. */
  share(owner: SpanOwner, name: string): Handle | undefined {
    const named = this.#owned.get(owner)?.named;
    const shared = named?.get(name);
    if (named === undefined || shared === undefined) return undefined;
    if (!shared.span.isMoved) return this.#handle(shared);
    // Its views are dead, so the caller must make a new span. Open handles stay open until they are closed.
    named.delete(name);
    this.#end(shared, 'closed');
    return undefined;
  }

  /** Makes a span of memory just placed, and gives its first handle. */
  open(request: SpanRequest, placement: Placement): Handle {
    const { owner, name, length, label } = request;
    const collected = () => {
      if (shared.span.isKept) this.#moved.add(shared);
      const handles = shared.takeHandles();
      if (handles.length > 0) reportLeak(label);
      this.#forget(shared);
      tell(handles.flatMap((handle) => handle.endAs('collected')));
    };
    const { span } = mappingRegistry.open('user', placement, length, label, collected);
    const shared = new SharedSpan(request, span);
    let owned = this.#owned.get(owner);
    if (owned === undefined) {
      owned = { named: new Map(), used: new Set() };
      this.#owned.set(owner, owned);
    }
    owned.named.set(name, shared);
    owned.used.add(shared);
    return this.#handle(shared);
  }

  /** Gives a handle back. The last one ends the span. */
  release(handle: Handle, shared: SharedSpan): void {
    if (shared.handles.delete(handle) && shared.handles.size === 0) this.#finish(shared, 'closed');
  }

  /** Ends every span of an owner, as if all its handles had been closed. */
  endAll(owner: SpanOwner): void {
    const owned = this.#owned.get(owner);
    if (owned === undefined) return;
    for (const shared of [...owned.used]) {
      for (const handle of shared.takeHandles()) handle.endAs('closed');
      this.#finish(shared, 'closed');
    }
  }

  /**
   * Ends every span that touches the bytes, then calls the listeners.
   * @returns how many open handles ended
   */
  kill(start: number, length: number): number {
    const touches = ({ request }: SharedSpan): boolean =>
      request.ranges.some((range) => range.start < start + length && start < range.start + range.length);
    const ended: Handle[] = [];
    for (const shared of [...this.#used()].filter(touches)) {
      ended.push(...shared.takeHandles());
      this.#finish(shared, 'revoked');
    }
    for (const shared of [...this.#moved].filter(touches)) {
      this.#moved.delete(shared);
      mappingRegistry.revokeKept(shared.span);
    }
    tell(ended.flatMap((handle) => handle.endAs('killed')));
    return ended.length;
  }

  stats(): { mappings: number; mappedBytes: number } {
    let mappings = 0;
    let mappedBytes = 0;
    for (const { span, handles, request } of this.#used()) {
      if (span.isKept) continue;
      mappings += handles.size;
      mappedBytes += request.length;
    }
    return { mappings, mappedBytes };
  }

  *#used(): Iterable<SharedSpan> {
    for (const { used } of this.#owned.values()) yield* used;
  }

  #handle(shared: SharedSpan): Handle {
    const handle = new Handle(this, shared);
    shared.handles.add(handle);
    return handle;
  }

  #finish(shared: SharedSpan, how: SpanEnd): void {
    this.#end(shared, how);
    this.#forget(shared);
  }

  #end(shared: SharedSpan, how: SpanEnd): void {
    mappingRegistry.end(shared.span, how);
    if (shared.span.isKept && how === 'closed') this.#moved.add(shared);
  }

  #forget(shared: SharedSpan): void {
    const { owner, name, ranges } = shared.request;
    const owned = this.#owned.get(owner);
    if (owned === undefined || !owned.used.has(shared)) return;
    // The sets of one owner go with its last span: most have one.
    if (owned.used.size === 1) this.#owned.delete(owner);
    else {
      owned.used.delete(shared);
      if (owned.named.get(name) === shared) owned.named.delete(name);
    }
    owner.ended(ranges);
  }
}

const NOBODY: readonly (() => void)[] = [];

class Handle implements Mapping {
  readonly length: number;
  readonly address: number;
  readonly access: Access;
  #state: 'open' | 'closed' | 'killed' | 'collected' = 'open';
  /** Undefined until somebody listens, as few do. */
  #listeners: readonly (() => void)[] | undefined;
  #collectedListeners: readonly (() => void)[] | undefined;

  readonly #table: MappingTable;
  readonly #shared: SharedSpan;

  constructor(table: MappingTable, shared: SharedSpan) {
    this.#table = table;
    this.#shared = shared;
    this.length = shared.request.length;
    this.address = shared.span.placement.address;
    this.access = shared.request.access;
  }

  get buffer(): ArrayBuffer {
    return this.#shared.span.buffer ?? new ArrayBuffer(0);
  }

  get ranges(): readonly PhysicalRange[] {
    return this.#shared.request.ranges;
  }

  get alive(): boolean {
    return this.#state === 'open';
  }

  get isMoved(): boolean {
    return this.#shared.span.isMoved || this.#shared.span.isKept;
  }

  give<T extends object>(view: T): T {
    return mappingRegistry.give(this.#shared.span, view);
  }

  view(start: number, length: number): Uint8Array {
    return this.alive ? this.#shared.view(start, length) : new Uint8Array(0);
  }

  onCollected(listener: () => void): void {
    if (this.#state !== 'open') return;
    this.#collectedListeners = withOne(this.#collectedListeners, listener);
  }

  onKill(listener: () => void): void {
    if (this.#state === 'killed') listener();
    if (this.#state !== 'open') return;
    this.#listeners = withOne(this.#listeners, listener);
  }

  close(): void {
    if (this.#state !== 'open') return;
    this.endAs('closed');
    this.#table.release(this, this.#shared);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Ends the handle. @returns the listeners to call, after all handles that end together have ended */
  endAs(state: 'closed' | 'killed' | 'collected'): readonly (() => void)[] {
    const told = state === 'killed' ? this.#listeners : this.#collectedListeners;
    this.#state = state;
    this.#listeners = undefined;
    this.#collectedListeners = undefined;
    return state === 'closed' || told === undefined ? NOBODY : told;
  }
}

/** A new list: nearly always it has one listener, and push() makes room for 17. */
function withOne(list: readonly (() => void)[] | undefined, listener: () => void): readonly (() => void)[] {
  return list === undefined ? [listener] : [...list, listener];
}

/** Calls all listeners, even when some throw, and then throws their errors. */
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
