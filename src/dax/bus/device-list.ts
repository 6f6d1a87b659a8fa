import type { DaxRegistry } from '../core/registry.js';
import type { DevDax } from '../regions/dev-dax.js';

/** The devices of a bus: in the order they appeared, by name, by dev_t (I11). */
export class DeviceList {
  #devices: DevDax[] = [];
  readonly #byName = new Map<string, DevDax>();

  constructor(readonly registry: DaxRegistry) {}

  get all(): readonly DevDax[] {
    return this.#devices;
  }

  byName(name: string): DevDax | undefined {
    return this.#byName.get(name);
  }

  /** @param devt "maj:min" */
  byDevt(devt: string): DevDax | undefined {
    const dax = this.registry.lookup(devt);
    return dax === null ? undefined : this.#devices.find((device) => device.dax === dax);
  }

  add(device: DevDax): void {
    this.#devices.push(device);
    this.#byName.set(device.name, device);
    this.registry.register(device.dax);
  }

  remove(device: DevDax): void {
    device.present = false;
    this.#devices = this.#devices.filter((other) => other !== device);
    this.#byName.delete(device.name);
    this.registry.unregister(device.dax);
  }

  /** The lowest instance number that no device of that region id has. */
  freeInstance(regionId: number): number {
    let instance = 0;
    while (this.#byName.has(`dax${regionId}.${instance}`)) instance++;
    return instance;
  }
}
