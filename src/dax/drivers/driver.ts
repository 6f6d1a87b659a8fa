import type { Platform } from '../core/platform.js';
import type { Binding, DevDax, RegionType } from '../regions/dev-dax.js';
import type { Devres } from './devres.js';

/** What a probe hands back; the bus makes the Binding of it. */
export type Probed = Pick<Binding, 'ranges' | 'pageMap' | 'file'>;

/** A registered driver: its id list, how it matches, how it probes. One object per load of its module. */
export abstract class DaxDriver {
  /** Also the name of its module. */
  abstract readonly name: string;
  readonly #ids = new Set<string>();

  constructor(protected readonly platform: Platform) {}

  /** Ids in the order they were given. */
  get ids(): readonly string[] {
    return [...this.#ids];
  }

  addId(id: string): void {
    this.#ids.add(id);
  }

  removeId(id: string): void {
    this.#ids.delete(id);
  }

  /** Puts a stored list in the place of the ids (restore, undo). */
  setIds(ids: readonly string[]): void {
    this.#ids.clear();
    for (const id of ids) this.#ids.add(id);
  }

  matchesId(device: DevDax): boolean {
    return this.#ids.has(device.name);
  }

  /** fsdev_dax never matches by type: it binds only what it was told to (decision 10). */
  abstract matchesType(type: RegionType): boolean;

  matches(device: DevDax): boolean {
    return this.matchesId(device) || this.matchesType(device.region.type);
  }

  /** Takes the device; what it acquires goes through devres, so that throwing undoes it all. */
  abstract probe(device: DevDax, devres: Devres): Probed;
}
