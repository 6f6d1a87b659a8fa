/**
 * dax/: dax devices (core/), the bus they sit on (bus/), the regions they are cut from (regions/), who drives them
 * (drivers/), who has them open (files/).
 *
 * Purpose: the kernel's dax subsystem as a model that answers to the errno (docs/kernel-dax.md) and carries real
 * memory: what a file system translates, what a mapping shows, is the machine's PhysicalMemory.
 * Invariants: I1-I6, I10-I12; `checkInvariants(bus)` looks at all of them at any moment.
 * Lifetime: Bus > Region > DevDax > Binding (one probe's devres) > OpenFile > Vma or RawMapping. What a probe acquired is
 * released in reverse at unbind: kill (holder told, not alive, mappings torn down), operations, folio state, owner, ranges.
 * A file or mapping of an undone binding stays dead for good. A DaxDevice lives with its DevDax; a holder is cleared at kill.
 * Locks: none, one thread. Calls from inside a device (readers) make its unbind EDEADLK.
 * Failure: typed methods throw the kernel's errno and change nothing (I12). Restore reports what it could not bring about.
 * Quirks (quirks.ts) turn single bugs of real kernels on; without any the model has none of them.
 */
export * from './bus/bus.js';
export type { Uevent } from './bus/journal.js';
export type { MemoryFailureResult } from './bus/memory-failure.js';
export type { Module } from './bus/modules.js';
export type { BusOptions } from './bus/parts.js';
export type { BusState, DeviceState, RegionState } from './bus/state.js';
export { busStores, deviceStores, driverStores, regionStores, type StoreBus } from './bus/stores.js';
export { DaxDevice, type DaxOwner, holdWhile } from './core/dax-device.js';
export * from './core/operations.js';
export type { Incident, Platform, StrandedMemory } from './core/platform.js';
export { DaxRegistry } from './core/registry.js';
export { Devres } from './drivers/devres.js';
export type { DaxDriver } from './drivers/driver.js';
export type { FailedUnit } from './files/file-host.js';
export { type MmapOptions, OpenFile, type OpenFlags, type Whence } from './files/open-file.js';
export { RawMapping } from './files/raw-mapping.js';
export { type SignalAnswer, Vma } from './files/vma.js';
export { checkInvariants, checkUnchanged, type ForeignPin, INVARIANTS } from './invariants.js';
export { expandQuirks, QUIRK_SETS, QUIRKS, type Quirk } from './quirks.js';
export { type Binding, DevDax, type DeviceRegion, type RegionType } from './regions/dev-dax.js';
export * from './regions/parse.js';
export { type DaxRange, gapsOf, lengthOf, type Span } from './regions/ranges.js';
export { type AddRegionOptions, Region } from './regions/region.js';
