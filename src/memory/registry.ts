import { isMainThread } from 'node:worker_threads';
import { coverWithZeroes, viewMemory } from '../libc/index.js';
import { Detacher } from './detacher.js';
import { collectNow } from './full-collection.js';
import { type Placement, unplace } from './placement.js';
import { quarantine } from './quarantine.js';

/** Who a span is for. `own`: no view of it ever leaves this library, so nobody can have moved it. */
export type SpanUse = 'user' | 'own';

/** How a span came to its end: its user closed it, or the memory goes away and nobody may see it any longer. */
export type SpanEnd = 'closed' | 'revoked';

/** Addresses of this process with one ArrayBuffer over them, live until the registry ends it. */
export class Span {
  readonly placement: Placement;
  readonly label: string;
  /** Called when the collector found that nobody has a view any more. */
  readonly onCollected: () => void;
  /** Views given out that still live. None does not say that nobody has one: others may have been made from them. */
  given = 0;
  /** When the collector is asked again, ms; how often it said that somebody has a view. */
  askAfter = 0;
  asked = 0;
  /** Ended for us, but still mapped: somebody we do not know shows it. */
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

  /** Undefined once the collector has it: only spans of our own, and those that end. */
  get buffer(): ArrayBuffer | undefined {
    return this.#held ?? this.#weak.deref();
  }

  /** Its memory is in another ArrayBuffer now, that we cannot know: ours has length 0, and the bytes are still shown. */
  get isMoved(): boolean {
    return this.#held?.byteLength === 0;
  }

  /** For as long as one collection takes. */
  letGo(): void {
    this.#held = undefined;
  }

  /** @returns whether somebody else has the buffer */
  holdAgain(): boolean {
    this.#held = this.#weak.deref();
    return this.#held !== undefined;
  }
}

/** The collector is asked for spans that seem dropped: at most one part in so many of the time. */
const ONE_PART_IN = 50;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 600_000;

/**
 * Every span of mapped memory that JavaScript of this isolate can reach. The one module state that V8 forces on us
 * (decision 4): an ArrayBuffer over foreign memory must never outlive its mapping, whoever holds it.
 *
 * Invariant (I6, decision 5b): addresses are given back only when we detached the buffer ourselves (then zero pages lie
 * there for a while, see quarantine), or when the collector proved that nobody has it and that it had its memory until
 * then. A buffer of length 0 that we did not detach was moved (a byte stream's enqueue, transfer()): its memory is shown
 * by a buffer we do not know, so it stays mapped for good; when the device goes, zero pages take its place.
 *
 * That proof needs care, for a finalizer cannot tell whether the buffer it was for had been moved before: spans of users
 * are held here, and when no view that was given out lives any more, they are let go of, the whole heap is collected, and
 * they are looked at again, all in one step in which nobody can move anything.
 *
 * A worker thread has its own isolate and its own registry; what a terminated one leaves, another gives back (address ledger).
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
  /** No collection of ours before, ms. */
  #quietUntil = 0;
  #timer: NodeJS.Timeout | undefined;

  /** Takes over a placement and gives out the only buffer over it. */
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

  /** Notes a view that a user gets. As long as it lives nobody need ask the collector. */
  give<T extends object>(span: Span, view: T): T {
    span.given++;
    this.#viewCollected.register(view, span);
    return view;
  }

  /** Detaches, then lets go of the memory. Once; a span that ended already is left alone. */
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

  /** The memory of spans that were moved goes away: whoever shows it reads zeroes from now on. */
  revokeKept(span: Span): void {
    if (span.isKept) coverWithZeroes(span.placement.base, span.placement.mapped);
  }

  /** Spans that stay mapped because somebody moved their buffer away. */
  get moved(): number {
    return this.#moved;
  }

  /**
   * Asks the collector about spans without a living view, and ends those nobody has.
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

  /** Neither a handle's view nor ours shows it any more: all that is left is the memory, and whoever has that. */
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

  /** The collector found a buffer that nobody closed. */
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

  /** An object nobody has: when it is gone, the collector has been through the heap. */
  #watchCollector(): void {
    if (this.#watchesCollector) return;
    this.#watchesCollector = true;
    this.#collectorRan.register({}, undefined);
  }

  #afterCollection(): void {
    this.#watchesCollector = false;
    if (this.#users.size === 0) return;
    this.#watchCollector();
    // The finalizers of views may come after this one.
    setImmediate(() => this.#endDroppedInTime());
  }

  /** Leaves most of the time to the program. */
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

  /** A process takes its mappings with it; a worker thread leaves them to the ledger, without their memory. */
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

/** Says on stderr what no caller is there to be told. */
function report(message: string): void {
  process.emitWarning(message, { code: 'UDAX_MAPPING' });
}

/** Reports a mapping that was dropped without close(), in debug mode (UDAX_DEBUG). */
export function reportLeak(label: string): void {
  if (process.env.UDAX_DEBUG)
    report(`${label}: a mapping was dropped without close(), the garbage collector ended it`);
}

export const mappingRegistry = new MappingRegistry();
