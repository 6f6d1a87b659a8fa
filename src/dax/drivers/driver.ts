import type { Platform } from '../core/platform.js';
import type { Binding, DevDax, RegionType } from '../regions/dev-dax.js';
import type { Devres } from './devres.js';

/** The result of a probe. The bus makes the Binding from it. */
export type Probed = Pick<Binding, 'ranges' | 'pageMap' | 'file'>;

/** A registered driver: its id list, its match rules, its probe. There is one object for each load of its module. */
export abstract class DaxDriver {
  /** Also the name of its module. */
  abstract readonly name: string;
  readonly #ids = new Set<string>();

  constructor(protected readonly platform: Platform) {}

  /** Ids in the order they were added. */
  get ids(): readonly string[] {
    return [...this.#ids];
  }

  addId(id: string): void {
    this.#ids.add(id);
  }

  removeId(id: string): void {
    this.#ids.delete(id);
  }

  /** Replaces the ids by a stored list (restore, undo). */
  setIds(ids: readonly string[]): void {
    this.#ids.clear();
    for (const id of ids) this.#ids.add(id);
  }

  matchesId(device: DevDax): boolean {
    return this.#ids.has(device.name);
  }

  /** fsdev_dax never matches by type: it binds only devices whose id it was given (decision 10). */
  abstract matchesType(type: RegionType): boolean;

  matches(device: DevDax): boolean {
    return this.matchesId(device) || this.matchesType(device.region.type);
  }

  /** Prepares the device. Everything it acquires goes through devres, so that a throw undoes it. */
  abstract probe(device: DevDax, devres: Devres): Probed;
}
