/**
 * memory/: backings, the physical address map, mappings into this process.
 *
 * Purpose: turn files, memory file systems and dax devices (backings) into memory at physical addresses, and that into
 * ArrayBuffers (what backings can do about their space, all ask them here: ensure, zero, fill, sizes): windows for the layers above (the kernel's direct map) and mappings for users, stitched into one
 * contiguous span however many pieces they have (decision 8).
 *
 * Invariants:
 * - No ArrayBuffer outlives its memory (I6): it is detached, and proven detached, before munmap. If the engine will not
 *   let go, the memory stays mapped and that is reported.
 * - One ArrayBuffer per span and access in an isolate (and file: spans of two owners are never one). The mapping table alone shares
 *   spans and counts their uses; who maps keeps what it was given, and is told when a span of his ended.
 * - Two physical ranges never overlap. No descriptor survives exec (all are O_CLOEXEC).
 * - Nothing is mapped for a user that the backing does not have at that moment, and no load or store of ours goes where the file
 *   was not just asked how long it is (bytes(), dataBytes(), assertThere()): others may cut it, and the access would be SIGBUS. A
 *   user's view cannot be kept from that.
 *
 * Lifetimes: backing (its owner) outlives range (insert..remove) outlives window and mapping. A mapping ends by the last
 * close() of its handles, by kill() or remove(), or, when handles and views were dropped without close(), by the garbage
 * collector. kill: detach all, unmap all, then tell listeners: a listener sees a state without the dead.
 * Locks: none. All is synchronous in one isolate; a worker thread has its own registry and counts as another process.
 *
 * Failure: EIO a backing ends before the range, ENXIO no memory at an address, EACCES, EBUSY overlap, EINVAL granule,
 * ENOMEM too many pieces (vm.max_map_count), ENOSPC no room for a new backing, ERANGE beyond 4 GiB. A call that fails
 * leaves nothing mapped, opened or made.
 */
export { type Backing, type BackingKind, type BackingPiece, MemoryBehind } from './backing.js';
export { deviceNumbers } from './dax-backing.js';
export { fillByWrite } from './fill-by-write.js';
export { mapLimit } from './map-count.js';
export type { Access, MapOptions, Mapping, PhysicalRange, SpanOwner } from './mapping.js';
export {
  createBacking,
  memfdBacking,
  memoryIdentity,
  type OpenBackingOptions,
  openBacking,
} from './open-backing.js';
export { PhysicalMemory } from './physical-memory.js';
export type { BackedRange } from './range-table.js';
export { type ViewWindow, windowsOf } from './view-windows.js';
