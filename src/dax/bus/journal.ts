/** The messages of a bus: kernel log lines, incidents, uevents. */
import type { Incident } from '../core/platform.js';
import type { DevDax } from '../regions/dev-dax.js';

const MOST_LOG_LINES = 10_000;
/** On most machines nobody takes the events: keep only the latest. */
const MOST_PENDING = 10_000;

/** Kernel log lines, kept until they are taken, and the incidents of quirks. */
export class Journal {
  readonly incidents: Incident[] = [];
  #lines: string[] = [];

  /** Adds a kernel log line of a level (0 emergency to 7 debug). Beyond 10,000 lines the oldest is dropped. */
  log(level: number, text: string): void {
    this.#lines.push(`<${level}>${text}`);
    if (this.#lines.length > MOST_LOG_LINES) this.#lines.shift();
  }

  /** Takes the lines since the last call. */
  take(): string[] {
    return this.#lines.splice(0);
  }
}

export interface Uevent {
  /** add, remove, bind, unbind; any word for a synthetic one. */
  action: string;
  /** The device of the event. It may be gone when the event is read. */
  device: DevDax;
  /** The value of DRIVER=. */
  driver: string | null;
  /** For an event from a store to a uevent attribute: SYNTH_UUID=... and its arguments, as KEY=value. Else null. */
  synthetic: readonly string[] | null;
}

/** The events since the last take(), oldest first. */
export class Uevents {
  #pending: Uevent[] = [];
  /** True during restore, which emits no events. */
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
