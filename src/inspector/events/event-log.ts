/** The last events, and who listens for more. */
import type { EventLayer, LiveMessage, ShownEvent } from '../wire.js';

const MOST_KEPT = 1000;

export class EventLog {
  readonly #kept: ShownEvent[] = [];
  readonly #listeners = new Set<(message: LiveMessage) => void>();
  /** Events since the last flush(). */
  #fresh: ShownEvent[] = [];
  #seq = 0;

  get seq(): number {
    return this.#seq;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /** Notes an event. Listeners get it at the next flush(), so that a thousand in a row are one message. */
  add(layer: EventLayer, what: string, subject: string, text: string): void {
    const event = { seq: ++this.#seq, at: Date.now(), layer, what, subject, text };
    this.#kept.push(event);
    if (this.#kept.length > MOST_KEPT) this.#kept.splice(0, this.#kept.length - MOST_KEPT);
    this.#fresh.push(event);
    if (this.#fresh.length > MOST_KEPT) this.#fresh = this.#fresh.slice(-MOST_KEPT);
  }

  /** Tells the listeners of the events since the last call. */
  flush(): void {
    if (this.#fresh.length === 0) return;
    const events = this.#fresh;
    this.#fresh = [];
    this.tell({ type: 'events', events });
  }

  tell(message: LiveMessage): void {
    for (const listener of this.#listeners) listener(message);
  }

  /**
   * Tells `listener` what is kept, then everything that follows.
   * @returns a function that ends it
   */
  listen(listener: (message: LiveMessage) => void): () => void {
    this.flush();
    listener({ type: 'hello' });
    if (this.#kept.length > 0) listener({ type: 'events', events: [...this.#kept] });
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
