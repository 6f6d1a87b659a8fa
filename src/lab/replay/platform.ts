/** The machine below the bus: memory, region providers, and the modules and ranges they bring. */
import { Bus, type Region } from '../../dax/index.js';
import { fail } from '../../libc/index.js';
import { type Backing, memfdBacking, PhysicalMemory } from '../../memory/index.js';
import type { Resource } from '../../mm/index.js';
import type { RegionPlace } from '../../tree/index.js';
import {
  type ClaimShape,
  type MachineShape,
  PROVIDERS,
  type Provider,
  type RegionShape,
} from './machines.js';

/** The quirk set of the recorded kernel. */
const RECORDED_KERNEL = 'linux-7.2';

interface Attached {
  provider: Provider;
  regions: Region[];
  claims: Resource[];
}

export class Platform {
  readonly bus: Bus;
  readonly place: RegionPlace = (region) => this.#places.get(region) ?? `platform/unknown.${region.id}`;
  /** Test modules that do not belong to the bus. */
  readonly otherModules = new Set<string>();
  readonly #shape: MachineShape;
  readonly #places = new WeakMap<object, string>();
  readonly #attached = new Map<Provider['regions'], Attached>();
  readonly #memory: PhysicalMemory | null;
  readonly #backings: Backing[] = [];

  /** @param withMemory whether the scenario loads or stores, and so needs memory */
  constructor(shape: MachineShape, withMemory: boolean) {
    this.#shape = shape;
    this.#memory = withMemory ? this.#insertMemory() : null;
    this.bus = new Bus({
      ...(this.#memory ? { memory: this.#memory } : {}),
      quirks: [RECORDED_KERNEL],
      memmapOnMemory: shape.memmapOnMemory,
    });
    for (const claim of shape.foreign) this.#claim(claim);
  }

  /** Inserts memory that takes space only where it was written. */
  #insertMemory(): PhysicalMemory {
    const memory = new PhysicalMemory();
    for (const { start, size } of [...this.#shape.hmem, ...this.#shape.pmem]) {
      const backing = memfdBacking(`replay-${start.toString(16)}`, size);
      this.#backings.push(backing);
      memory.insert({ start, length: size, backing, offset: 0 });
    }
    return memory;
  }

  /** Loads a region provider. @throws DaxError EEXIST, EINVAL */
  attach(source: string): void {
    const provider = providerOf(source);
    if (this.#attached.has(provider.regions)) fail('EEXIST', `${source} is attached already`);
    const claims =
      provider.regions === 'pmem' ? this.#shape.pmemClaims.map((claim) => this.#claim(claim)) : [];
    const attached: Attached = { provider, regions: [], claims };
    this.#attached.set(provider.regions, attached);
    for (const shape of this.#shape[provider.regions]) {
      attached.regions.push(this.#addRegion(provider, shape, attached.regions[0]));
    }
  }

  #addRegion(provider: Provider, shape: RegionShape, first: Region | undefined): Region {
    const isStatic = provider.regions === 'pmem';
    // Namespaces of one nd region share its id.
    const id = isStatic && first ? { id: first.id } : {};
    const { start, size, align, targetNode } = shape;
    const region = this.bus.addRegion({
      ...id,
      type: provider.type,
      static: isStatic,
      idle: provider.idle,
      start,
      size,
      align,
      targetNode,
    });
    this.#places.set(region, shape.place(region.id));
    return region;
  }

  /** Unloads a region provider, youngest region first. @throws DaxError ENOENT */
  detach(source: string): void {
    const provider = providerOf(source);
    const attached = this.#attached.get(provider.regions);
    if (attached === undefined) fail('ENOENT', `${source} is not attached`);
    for (const region of attached.regions.reverse()) this.bus.removeRegion(region);
    this.#attached.delete(provider.regions);
    // Memory that kmem could not take offline stays claimed inside these claims.
    for (const claim of attached.claims.reverse()) this.bus.resources.remove(claim);
  }

  /** Regions of hmem, then of pmem, whichever was attached first. */
  regions(): Region[] {
    return (['hmem', 'pmem'] as const).flatMap((kind) => this.#attached.get(kind)?.regions ?? []);
  }

  modules(): string[] {
    const providers = [...this.#attached.values()].flatMap(({ provider }) => provider.modules);
    return [...providers, ...this.bus.modules.map((module) => module.name), ...this.otherModules].sort();
  }

  /** The lines of /proc/iomem that belong to dax. */
  iomem(): string[] {
    return this.bus.resources.lines((resource) => resource.name !== 'foreign');
  }

  #claim({ start, end, name, busy }: ClaimShape): Resource {
    const { resources } = this.bus;
    const resource = busy ? resources.request(start, end, name) : resources.insert(start, end, name);
    return resource ?? fail('EBUSY', `${name} cannot claim its part of /proc/iomem`);
  }

  close(): void {
    this.#memory?.close();
    for (const backing of this.#backings) backing.close();
  }
}

function providerOf(source: string): Provider {
  const provider = Object.hasOwn(PROVIDERS, source) ? PROVIDERS[source] : undefined;
  return provider ?? fail('EINVAL', `no region provider ${source}`);
}
