import type { DaxDevice } from './dax-device.js';

/** dev_t -> dax device. A lookup finds exactly the registered devices (I11). */
export class DaxRegistry {
  readonly #devices = new Map<string, DaxDevice | null>();
  readonly #quirks: ReadonlySet<string>;

  constructor(quirks: ReadonlySet<string>) {
    this.#quirks = quirks;
  }

  register(device: DaxDevice): void {
    this.#devices.set(device.devt, device);
  }

  unregister(device: DaxDevice): void {
    if (this.#devices.get(device.devt) === device) this.#devices.delete(device.devt);
  }

  /** The device; null for a dev_t that is not registered. (Upstream's lookup then registered a phantom: quirk phantom-lookup.) */
  lookup(devt: string): DaxDevice | null {
    const found = this.#devices.get(devt) ?? null;
    if (found === null && this.#quirks.has('phantom-lookup')) this.#devices.set(devt, null);
    return found;
  }

  /** The dev_t of every entry, also of phantoms. */
  get entries(): readonly string[] {
    return [...this.#devices.keys()];
  }
}
