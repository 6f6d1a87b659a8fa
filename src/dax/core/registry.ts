import type { DaxDevice } from './dax-device.js';

/** dev_t -> dax device. Finds exactly what is registered (I11). */
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

  /** null for a dev_t nobody registered. (Upstream's lookup registered a phantom for it: quirk phantom-lookup.) */
  lookup(devt: string): DaxDevice | null {
    const found = this.#devices.get(devt) ?? null;
    if (found === null && this.#quirks.has('phantom-lookup')) this.#devices.set(devt, null);
    return found;
  }

  /** dev_t of every entry, phantoms too. */
  get entries(): readonly string[] {
    return [...this.#devices.keys()];
  }
}
