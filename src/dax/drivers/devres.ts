import { fail } from '../../libc/index.js';

/**
 * The resources that a probe acquired. They are released in reverse order, each exactly once: when the probe fails, or at
 * unbind. `acquired` and `released` are for the checker (I3).
 */
export class Devres {
  readonly acquired: string[] = [];
  readonly released: string[] = [];
  #actions: (() => void)[] = [];
  #step = 0;
  readonly #failAtStep: number | null;

  /** @param failAtStep the n-th acquisition (from 0) fails with ENOMEM instead; null never */
  constructor(failAtStep: number | null = null) {
    this.#failAtStep = failAtStep;
  }

  /** Acquires a resource with `take`, and remembers how to release it. Throws what `take` throws. */
  acquire<T>(name: string, take: () => T, release?: (taken: T) => void): T {
    if (this.#step++ === this.#failAtStep) fail('ENOMEM', `injected failure at ${name}`);
    const taken = take();
    this.acquired.push(name);
    this.#actions.push(() => {
      this.released.push(name);
      release?.(taken);
    });
    return taken;
  }

  /** Releases everything in reverse order. An action that throws does not stop the others; the first error is thrown at the end. */
  releaseAll(): void {
    let failed = false;
    let first: unknown;
    for (let action = this.#actions.pop(); action !== undefined; action = this.#actions.pop()) {
      try {
        action();
      } catch (error) {
        if (!failed) first = error;
        failed = true;
      }
    }
    if (failed) throw first;
  }

  /** True when everything acquired was released, once, in reverse order. */
  get settled(): boolean {
    const reversed = [...this.acquired].reverse();
    return (
      reversed.length === this.released.length && reversed.every((name, at) => name === this.released[at])
    );
  }
}
