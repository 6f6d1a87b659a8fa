/**
 * dax/: dax devices (core/), their bus (bus/), the regions they are cut from (regions/), their drivers (drivers/), and their
 * open files and mappings (files/).
 *
 * Purpose: a model of the kernel's dax subsystem. It gives the kernel's errno for each act (docs/kernel-dax.md), and it has
 * real memory: translations and mappings are of the machine's PhysicalMemory.
 * Invariants: I1-I6, I10-I12; `checkInvariants(bus)` checks them at any moment (I12: `checkUnchanged()`).
 * Lifetime: Bus > Region > DevDax > Binding (one probe's devres) > OpenFile > Vma or RawMapping. Unbind releases what the
 * probe acquired, in reverse: kill (the holder is told, the device is not alive any more, mappings are torn down),
 * operations, folio state, owner, ranges. A file or mapping of an undone binding stays dead for good. A DaxDevice lives with
 * its DevDax; kill clears its holder.
 * Locks: none, one thread. Unbind from within a call into the device (a reader) is EDEADLK.
 * Failure: typed methods throw the kernel's errno and change nothing (I12). Restore returns what it could not restore.
 * Quirks (quirks.ts) each turn on one bug of a real kernel. Without quirks the model has none of them.
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
