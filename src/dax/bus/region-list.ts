import { fail } from '../../libc/index.js';
import type { DevDax } from '../regions/dev-dax.js';
import { type AddRegionOptions, checkRegion, Region, type RegionHost } from '../regions/region.js';

/** The regions of a bus, in the order they were added. */
export class RegionList {
  readonly all: Region[] = [];

  /** The first region of that id (static regions may share an id). */
  byId(id: number): Region | undefined {
    return this.all.find((region) => region.id === id);
  }

  of(device: DevDax): Region {
    return this.all.find((region) => region === device.region) ?? fail('ENODEV', `${device.name} is gone`);
  }

  /** Adds a region without devices. @throws DaxError EEXIST the id is taken; EBUSY its memory is taken; EINVAL sizes */
  add(host: RegionHost, options: AddRegionOptions): Region {
    const id = options.id ?? this.#freeId();
    checkRegion(id, options, this.all);
    const region = new Region(host, id, options);
    this.all.push(region);
    return region;
  }

  /** The region, given by id or itself. @throws DaxError ENODEV unknown */
  known(which: number | Region): Region {
    const region = typeof which === 'number' ? this.byId(which) : which;
    if (region === undefined || !this.all.includes(region))
      fail('ENODEV', `there is no region ${typeof which === 'number' ? which : which.id}`);
    return region;
  }

  remove(region: Region): void {
    this.all.splice(this.all.indexOf(region), 1);
  }

  #freeId(): number {
    let id = 0;
    while (this.byId(id) !== undefined) id++;
    return id;
  }
}
