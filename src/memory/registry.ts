import { isMainThread } from 'node:worker_threads';
import { viewMemory } from '../libc/index.js';
import { Detacher } from './detacher.js';
import { type Placement, unplace } from './placement.js';

/** Addresses of this process with one ArrayBuffer over them, live until the registry ends it. */
export interface Span {
  readonly placement: Placement;
  readonly label: string;
  /** Weak: when neither a handle nor a view is left, the collector may take it, and the memory is unmapped. */
  readonly buffer: WeakRef<ArrayBuffer>;
  readonly onCollected: () => void;
}

/**
 * Every span of mapped memory that JavaScript of this isolate can reach. The one module state that V8 forces on us
 * (decision 4): an ArrayBuffer over foreign memory must never outlive its mapping, whoever holds it.
 *
 * Invariant (I6): memory is unmapped only after its buffer is detached, or collected. A worker thread has its own
 * isolate and its own registry, and gives back what it mapped when it exits.
 */
class MappingRegistry {
  readonly #live = new Set<Span>();
  readonly #detacher = new Detacher();
  readonly #collected = new FinalizationRegistry<Span>((span) => this.#reclaim(span));
  #watchesExit = isMainThread;

  /** Takes over a placement and gives out the only buffer over it. */
  open(
    placement: Placement,
    length: number,
    label: string,
    onCollected: () => void,
  ): { span: Span; buffer: ArrayBuffer } {
    const buffer = viewOrUnplace(placement, length);
    const span: Span = { placement, label, buffer: new WeakRef(buffer), onCollected };
    this.#live.add(span);
    this.#collected.register(buffer, span, span);
    this.#watchExit();
    return { span, buffer };
  }

  /** Detaches, then unmaps. Once; a span that ended already is left alone. */
  end(span: Span): void {
    if (!this.#live.delete(span)) return;
    this.#collected.unregister(span);
    const buffer = span.buffer.deref();
    if (buffer && !this.#detacher.detach(buffer)) {
      report(
        `${span.label}: the engine did not let go of a view of ${buffer.byteLength} bytes, its memory stays mapped`,
      );
      return;
    }
    unplace(span.placement);
  }

  /** The collector found a buffer that nobody closed. */
  #reclaim(span: Span): void {
    if (!this.#live.delete(span)) return;
    try {
      unplace(span.placement);
    } catch (error) {
      report(`${span.label}: ${(error as Error).message}`);
    }
    span.onCollected();
  }

  /** A process takes its mappings with it; a worker thread leaves them in the process. */
  #watchExit(): void {
    if (this.#watchesExit) return;
    this.#watchesExit = true;
    process.once('exit', () => {
      for (const span of [...this.#live]) this.end(span);
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
