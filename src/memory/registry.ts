import { isMainThread } from 'node:worker_threads';
import { coverWithZeroes, viewMemory } from '../libc/index.js';
import { Detacher } from './detacher.js';
import { collectNow } from './full-collection.js';
import { type Placement, unplace } from './placement.js';
import { quarantine } from './quarantine.js';

/** The user of a span. `own`: no view of it ever leaves this library, so no other code can have moved it. */
export type SpanUse = 'user' | 'own';

/** How a span ends. closed: its user closed it. revoked: the memory goes away, and nobody may see it any longer. */
export type SpanEnd = 'closed' | 'revoked';

/** A span of addresses with one ArrayBuffer over it. It is live until the registry ends it. */
export class Span {
  readonly placement: Placement;
  readonly label: string;
  /** Called when a garbage collection showed that no view is left. */
  readonly onCollected: () => void;
  /** Views given out that are still alive. 0 does not prove that no view is left: others may have been made from them. */
  given = 0;
  /** No garbage collection for this span before this time (performance.now(), ms). */
  askAfter = 0;
  /** How many collections found that a view still exists. */
  asked = 0;
  /** Ended, but still mapped: an ArrayBuffer that udax cannot reach shows the memory. */
  isKept = false;
  #held: ArrayBuffer | undefined;
  readonly #weak: WeakRef<ArrayBuffer>;

  constructor(
    use: SpanUse,
    buffer: ArrayBuffer,
    placement: Placement,
    label: string,
    onCollected: () => void,
  ) {
    this.placement = placement;
    this.label = label;
    this.onCollected = onCollected;
    this.#held = use === 'user' ? buffer : undefined;
    this.#weak = new WeakRef(buffer);
  }

  /** Undefined once it was garbage collected: only with an own span, or one that ends. */
  get buffer(): ArrayBuffer | undefined {
    return this.#held ?? this.#weak.deref();
  }

  /** True when other code moved the memory into another ArrayBuffer: this one has length 0, but the bytes are still visible. */
  get isMoved(): boolean {
    return this.#held?.byteLength === 0;
  }

  /** Drops the strong reference, for the time of one garbage collection. */
  letGo(): void {
    this.#held = undefined;
  }

  /** Takes the strong reference again. @returns true when the buffer still exists: other code references it */
  holdAgain(): boolean {
    this.#held = this.#weak.deref();
    return this.#held !== undefined;
  }
}

/** Garbage collections for spans that seem dropped take at most one part in this many of the time. */
const ONE_PART_IN = 50;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 600_000;

/**
 * Every span of mapped memory that JavaScript of this isolate can reach. It is the one module state that V8 makes necessary
 * (decision 4): an ArrayBuffer over foreign memory must never outlive its mapping, whoever references it.
 *
 * Invariant (I6, decision 5b): addresses are unmapped only in two cases. Either udax detached the buffer itself (zero pages
 * lie there for a while then, see quarantine). Or a garbage collection proved that the buffer is gone and had its memory
 * until then. A buffer of length 0 that udax did not detach was moved (by a byte stream's enqueue or by transfer()). A buffer
 * that udax cannot reach then shows its memory, so the memory stays mapped for good. When the device goes, zero pages
 * replace it.
 *
 * A finalizer cannot tell whether its buffer was moved before. So the registry references the buffers of users' spans. When
 * no view that was given out is alive, it drops the references, collects the whole heap, and looks at the buffers again. All
 * that is one synchronous step, in which no other code can move a buffer.
 *
 * A worker thread has its own isolate and its own registry. When it is terminated, another thread unmaps its spans (address
 * ledger).
 */
class MappingRegistry {
  readonly #live = new Set<Span>();
  readonly #users = new Set<Span>();
  readonly #detacher = new Detacher();
  readonly #ownCollected = new FinalizationRegistry<Span>((span) => this.#reclaim(span, unplace));
  readonly #viewCollected = new FinalizationRegistry<Span>((span) => void span.given--);
  readonly #collectorRan = new FinalizationRegistry<undefined>(() => this.#afterCollection());
  #moved = 0;
  #watchesCollector = false;
  #watchesExit = isMainThread;
  /** No garbage collection by the registry before this time (performance.now(), ms). */
  #quietUntil = 0;
  #timer: NodeJS.Timeout | undefined;

  /** Takes over a placement, and makes the only buffer over it. */
  open(
    use: SpanUse,
    placement: Placement,
    length: number,
    label: string,
    onCollected: () => void,
  ): { span: Span; buffer: ArrayBuffer } {
    const buffer = viewOrUnplace(placement, length);
    const span = new Span(use, buffer, placement, label, onCollected);
    this.#live.add(span);
    if (use === 'own') this.#ownCollected.register(buffer, span, span);
    else {
      this.#users.add(span);
      this.#watchCollector();
    }
    this.#watchExit();
    return { span, buffer };
  }

  /** Registers a view that a user gets. As long as it is alive, no garbage collection is run for its span. */
  give<T extends object>(span: Span, view: T): T {
    span.given++;
    this.#viewCollected.register(view, span);
    return view;
  }

  /** Ends a span: detaches its buffer, then lets go of the memory. Does nothing with a span that ended already. */
  end(span: Span, how: SpanEnd): void {
    if (!this.#live.delete(span)) return;
    this.#users.delete(span);
    this.#ownCollected.unregister(span);
    const { buffer, isMoved } = span;
    if (buffer === undefined) unplace(span.placement);
    else if (!isMoved && this.#detacher.detach(buffer)) quarantine.retire(span.placement);
    else this.#keep(span, isMoved ? 'moved' : 'not let go of', how);
    span.letGo();
  }

  /** Puts zero pages over the memory of a span that stayed mapped: the device goes away, and its bytes must not be seen. */
  revokeKept(span: Span): void {
    if (span.isKept) coverWithZeroes(span.placement.base, span.placement.mapped);
  }

  /** How many spans stay mapped because their buffer was moved away or could not be detached. */
  get moved(): number {
    return this.#moved;
  }

  /**
   * Runs a garbage collection for spans without a living view, and ends those without a buffer.
   * @param everything false leaves out spans that had a collection recently
   * @returns whether any ended
   */
  endDropped(everything = true): boolean {
    const now = performance.now();
    const candidates: Span[] = [];
    for (const span of this.#users) {
      if (span.given > 0 || (!everything && span.askAfter > now)) continue;
      if (span.isMoved) this.#dropMoved(span);
      else candidates.push(span);
    }
    if (candidates.length === 0) return false;
    for (const span of candidates) span.letGo();
    const asked = collectNow();
    const took = performance.now() - now;
    this.#quietUntil = now + took * (ONE_PART_IN + 1);
    return asked ? this.#settle(candidates) : this.#holdAgain(candidates);
  }

  /** Ends a span whose buffer was moved and that has no living view. Its memory stays mapped. */
  #dropMoved(span: Span): void {
    this.end(span, 'closed');
    span.onCollected();
  }

  #settle(candidates: readonly Span[]): boolean {
    let ended = 0;
    for (const span of candidates) {
      if (span.holdAgain()) {
        const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** span.asked++);
        span.askAfter = performance.now() + pause;
      } else {
        this.#reclaim(span, (placement) => quarantine.retire(placement));
        ended++;
      }
    }
    return ended > 0;
  }

  #holdAgain(candidates: readonly Span[]): false {
    for (const span of candidates) span.holdAgain();
    return false;
  }

  #keep(span: Span, why: string, how: SpanEnd): void {
    span.isKept = true;
    this.#moved++;
    if (how === 'revoked') this.revokeKept(span);
    if (why !== 'moved')
      report(
        `${span.label}: the engine did not let go of a view of ${span.placement.mapped} bytes, its memory stays mapped`,
      );
    else if (process.env.UDAX_DEBUG)
      report(
        `${span.label}: a view was moved into another ArrayBuffer (a byte stream, transfer()): its ${span.placement.mapped} bytes stay mapped`,
      );
  }

  /** Ends a span whose buffer was garbage collected without close(). */
  #reclaim(span: Span, letGoOf: (placement: Placement) => void): void {
    if (!this.#live.delete(span)) return;
    this.#users.delete(span);
    try {
      letGoOf(span.placement);
    } catch (error) {
      report(`${span.label}: ${(error as Error).message}`);
    }
    span.onCollected();
  }

  /** Registers an object without a reference: its finalizer runs after the next garbage collection. */
  #watchCollector(): void {
    if (this.#watchesCollector) return;
    this.#watchesCollector = true;
    this.#collectorRan.register({}, undefined);
  }

  #afterCollection(): void {
    this.#watchesCollector = false;
    if (this.#users.size === 0) return;
    this.#watchCollector();
    // The finalizers of views may run after this one.
    setImmediate(() => this.#endDroppedInTime());
  }

  /** Ends dropped spans now, or later when the last collection was too recent. */
  #endDroppedInTime(): void {
    const wait = this.#quietUntil - performance.now();
    if (wait <= 0) this.endDropped(false);
    else if (this.#timer === undefined) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.endDropped(false);
      }, wait);
      this.#timer.unref();
    }
  }

  /** At the exit of a worker thread, ends all spans; the ledger unmaps their addresses. A process needs none of that. */
  #watchExit(): void {
    if (this.#watchesExit) return;
    this.#watchesExit = true;
    process.once('exit', () => {
      for (const span of [...this.#live]) this.end(span, 'closed');
    });
  }
}

function viewOrUnplace(placement: Placement, length: number): ArrayBuffer {
  try {
    return viewMemory(placement.address, length);
  } catch (error) {
    unplace(placement);
    throw error;
  }
}

/** Emits a warning (code UDAX_MAPPING), where there is no caller to throw to. */
function report(message: string): void {
  process.emitWarning(message, { code: 'UDAX_MAPPING' });
}

/** Reports a mapping that was dropped without close(), in debug mode (UDAX_DEBUG). */
export function reportLeak(label: string): void {
  if (process.env.UDAX_DEBUG)
    report(`${label}: a mapping was dropped without close(), the garbage collector ended it`);
}

export const mappingRegistry = new MappingRegistry();
