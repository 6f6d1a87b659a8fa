/** What a bus tells: kernel log lines, incidents, uevents. Kept until somebody takes them. */
import type { Incident } from '../core/platform.js';
import type { DevDax } from '../regions/dev-dax.js';

const MOST_LOG_LINES = 10_000;
/** Nobody listens on most machines: keep what a listener could still want. */
const MOST_PENDING = 10_000;

/** What happened on a bus: kernel log lines until somebody takes them, and what quirks made go wrong. */
export class Journal {
  readonly incidents: Incident[] = [];
  #lines: string[] = [];

  /** One kernel log line of a level (0 emergency to 7 debug). The oldest go when nobody takes any. */
  log(level: number, text: string): void {
    this.#lines.push(`<${level}>${text}`);
    if (this.#lines.length > MOST_LOG_LINES) this.#lines.shift();
  }

  /** Lines since the last call. */
  take(): string[] {
    return this.#lines.splice(0);
  }
}

export interface Uevent {
  /** add, remove, bind, unbind; any word for a synthetic one. */
  action: string;
  /** The device it is about (it may be gone by the time the event is read). */
  device: DevDax;
  /** DRIVER=. */
  driver: string | null;
  /** Set for events made by a store to an uevent attribute: SYNTH_UUID=... and its arguments, as KEY=value. */
  synthetic: readonly string[] | null;
}

/** Events since they were last taken, oldest first. */
export class Uevents {
  #pending: Uevent[] = [];
  /** Restore works without telling anybody. */
  muted = false;

  emit(action: string, device: DevDax, synthetic: readonly string[] | null = null): void {
    if (this.muted) return;
    this.#pending.push({ action, device, driver: device.driver, synthetic });
    if (this.#pending.length > MOST_PENDING) this.#pending.shift();
  }

  take(): Uevent[] {
    const taken = this.#pending;
    this.#pending = [];
    return taken;
  }
}
