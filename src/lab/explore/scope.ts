/** The scope of a search: regions, drivers, kinds of operations, and limits. */
import type { AddRegionOptions } from '../../dax/index.js';
import { fail } from '../../libc/index.js';
import { PMD_SIZE } from '../../mm/index.js';

/** A region that the provider can add and remove. Its id is its index in the scope's list. */
export type ScopeRegion = AddRegionOptions & { readonly id: number };

export interface ScopeLimits {
  /** Most files open at once. */
  readonly files: number;
  /** Most mappings of files at once. */
  readonly mappings: number;
  /** Number of file systems that may mount. */
  readonly fileSystems: number;
  /** Most devices of a region. */
  readonly devices: number;
  /** Most calls that run concurrently with other events (threads.ts). */
  readonly threads: number;
}

export interface Scope {
  readonly name: string;
  readonly about: string;
  readonly regions: readonly ScopeRegion[];
  /** Modules that can be loaded. */
  readonly drivers: readonly string[];
  /** Groups of operations that the search uses (operations/index.ts). */
  readonly groups: readonly OperationGroup[];
  /** Events that run before the search, on a bus with all regions and no module. */
  readonly setup: readonly string[];
  readonly limits: ScopeLimits;
  /** The regions are alike: states that differ only by a permutation of the regions count as one. */
  readonly twins: boolean;
}

const OPERATION_GROUPS = [
  'modules',
  'binding',
  'probe-failures',
  'regions',
  'resizing',
  'files',
  'file-systems',
  'memory-failure',
  'memory-blocks',
  'lookups',
  'helpers',
  'threads',
] as const;
export type OperationGroup = (typeof OPERATION_GROUPS)[number];

/** Size of a memory block in explored machines. It is small, so that kmem takes even small regions whole. */
export const BLOCK_BYTES = PMD_SIZE;

const GIB = 2 ** 30;

function region(id: number, units: number, more: Partial<ScopeRegion> = {}): ScopeRegion {
  return {
    id,
    type: 'device',
    start: (4 + id) * GIB,
    size: units * PMD_SIZE,
    align: PMD_SIZE,
    targetNode: 1 + id,
    ...more,
  };
}

const DRIVERS = ['device_dax', 'fsdev_dax', 'kmem'];
const ONE: ScopeLimits = { files: 1, mappings: 1, fileSystems: 1, devices: 1, threads: 1 };

/** The named scopes. `default` is what `udax explore` searches. */
export const SCOPES: readonly Scope[] = [
  {
    name: 'default',
    about: 'a static device-type region and a dynamic kmem-type one, three drivers, every kind of event',
    regions: [region(0, 2, { static: true }), region(1, 2, { type: 'kmem' })],
    drivers: DRIVERS,
    groups: OPERATION_GROUPS,
    setup: [],
    limits: ONE,
    twins: false,
  },
  {
    name: 'binding',
    about: 'two devices, three drivers: modules, ids, bind and unbind, regions that come and go',
    regions: [region(0, 1, { static: true }), region(1, 1, { type: 'kmem' })],
    drivers: DRIVERS,
    groups: ['modules', 'binding', 'regions'],
    setup: [],
    limits: ONE,
    twins: false,
  },
  {
    name: 'twins',
    about: 'two regions that are alike (states that differ by swapping them count once), three drivers',
    regions: [region(0, 2, { static: true }), region(1, 2, { static: true })],
    drivers: DRIVERS,
    groups: ['modules', 'binding', 'regions', 'files', 'file-systems'],
    setup: [],
    limits: ONE,
    twins: true,
  },
  {
    name: 'ranges',
    about: 'one dynamic device of three ranges out of order, in famfs mode: translation and failures',
    regions: [region(0, 6, { idle: true })],
    drivers: ['device_dax', 'fsdev_dax'],
    groups: ['binding', 'files', 'file-systems', 'memory-failure', 'probe-failures', 'resizing', 'threads'],
    setup: [
      'insmod fsdev_dax',
      'mapping dax0.0 4+1',
      'mapping dax0.0 0+1',
      'mapping dax0.0 2+2',
      'new_id fsdev_dax dax0.0',
    ],
    limits: { ...ONE, fileSystems: 2 },
    twins: false,
  },
  {
    name: 'late-map',
    about: 'a static region whose page map starts after its data',
    regions: [region(0, 2, { static: true, pageMapStart: 4 * GIB + PMD_SIZE })],
    drivers: ['device_dax', 'fsdev_dax'],
    groups: ['modules', 'binding', 'file-systems', 'helpers'],
    setup: [],
    limits: ONE,
    twins: false,
  },
  {
    name: 'mounted',
    about:
      'one static device and two file systems: who holds it, what is told to whom, calls that overtake each other',
    regions: [region(0, 2, { static: true })],
    drivers: ['fsdev_dax'],
    groups: ['modules', 'binding', 'file-systems', 'memory-failure', 'threads'],
    setup: [],
    limits: { ...ONE, fileSystems: 2, threads: 2 },
    twins: false,
  },
  {
    name: 'open-files',
    about: 'one static device and two open files: what a rebind does to them',
    regions: [region(0, 1, { static: true })],
    drivers: ['device_dax', 'fsdev_dax'],
    groups: ['modules', 'binding', 'regions', 'files'],
    setup: [],
    limits: { ...ONE, files: 2, mappings: 2 },
    twins: false,
  },
  {
    name: 'resizing',
    about: 'one dynamic region of three units: create, delete, size, mapping, align, bound or not',
    regions: [region(0, 3)],
    drivers: ['device_dax', 'fsdev_dax'],
    groups: ['modules', 'binding', 'resizing', 'files'],
    setup: [],
    limits: { ...ONE, devices: 2 },
    twins: false,
  },
];

/** @throws DaxError EINVAL */
export function scopeNamed(name: string): Scope {
  const scope = SCOPES.find((candidate) => candidate.name === name);
  return (
    scope ??
    fail('EINVAL', `there is no scope ${name}; known: ${SCOPES.map((known) => known.name).join(', ')}`)
  );
}

export interface ScopeChanges {
  /** Number of regions, each with one device at first. Regions beyond the scope's own are copies of them, in turn. */
  readonly devices?: number;
  /** Modules that can be loaded. */
  readonly drivers?: readonly string[];
}

/** Returns a scope with another number of devices or other drivers. @throws DaxError EINVAL */
export function changedScope(scope: Scope, { devices, drivers }: ScopeChanges): Scope {
  if (devices !== undefined && !(Number.isInteger(devices) && devices >= 1 && devices <= 8))
    fail('EINVAL', `cannot explore ${devices} devices: 1 to 8`);
  for (const driver of drivers ?? [])
    if (!DRIVERS.includes(driver))
      fail('EINVAL', `there is no driver ${driver}; known: ${DRIVERS.join(', ')}`);
  return {
    ...scope,
    regions: devices === undefined ? scope.regions : regionsOf(scope, devices),
    drivers: drivers ?? scope.drivers,
  };
}

function regionsOf({ regions }: Scope, count: number): ScopeRegion[] {
  return Array.from({ length: count }, (_, id) => {
    const shape = regions[id] ?? regions[id % regions.length]!;
    const start = (4 + id) * GIB;
    const late = shape.pageMapStart;
    const pageMap = late === undefined ? {} : { pageMapStart: late + start - shape.start };
    return { ...shape, ...pageMap, id, start, targetNode: 1 + id };
  });
}

/**
 * The ways to renumber a scope's regions: the identity first, and the others only when the scope says that its regions are twins.
 * Swapping two such regions everywhere gives a state that behaves the same, with the regions swapped.
 */
export function permutationsOf(scope: Scope): number[][] {
  const ids = identity(scope.regions.length);
  return scope.twins ? permute(ids) : [ids];
}

export function identity(count: number): number[] {
  return Array.from({ length: count }, (_, id) => id);
}

function permute(ids: readonly number[]): number[][] {
  if (ids.length < 2) return [[...ids]];
  return ids.flatMap((first, at) =>
    permute([...ids.slice(0, at), ...ids.slice(at + 1)]).map((rest) => [first, ...rest]),
  );
}
