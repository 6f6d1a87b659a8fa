/**
 * memory/: backings, the physical address map, mappings into this process.
 *
 * Purpose: put files, memory file systems and dax devices (backings) at physical addresses, and turn physical ranges into
 * ArrayBuffers: windows for the layers above (they stand for the kernel's direct map), and mappings for users, stitched into
 * one contiguous span of any number of pieces (decision 8). Calls about the space of backings (ensure, zero, fill, sizes) are
 * here too.
 *
 * Invariants:
 * - No ArrayBuffer outlives its memory (I6): it is detached, and checked to be detached, before munmap. If the engine does
 *   not detach it, the memory stays mapped and a warning says so.
 * - One ArrayBuffer per span and access in an isolate. Two owners (files) never share a span. Only the mapping table shares
 *   spans and counts their uses. The caller keeps the mapping it got, and its owner is told when a span ends.
 * - Two physical ranges never overlap. No descriptor survives exec (all are O_CLOEXEC).
 * - A user gets no mapping of bytes that the backing does not have at that moment. Before each load and store of its own,
 *   udax asks how long the file is (bytes(), dataBytes(), assertThere()): another process may truncate it, and the access
 *   would be SIGBUS. Accesses through a user's view are not protected from that.
 *
 * Lifetimes: a backing (closed by its owner) outlives its range (insert..remove), which outlives its windows and mappings. A
 * mapping ends by the last close() of its handles, by kill() or remove(), or by the garbage collector when its handles and
 * views were dropped without close(). kill() detaches all, then unmaps all, then calls the listeners, so a listener never
 * sees a dead mapping.
 * Locks: none. All is synchronous in one isolate; a worker thread has its own registry and counts as another process.
 *
 * Failure: EIO a backing ends before the range, ENXIO no memory at an address, EACCES no permission, EBUSY ranges overlap,
 * EINVAL granule, ENOMEM too many pieces (vm.max_map_count), ENOSPC no room for a new backing, ERANGE beyond 4 GiB. A call
 * that fails leaves nothing mapped, opened or made.
 */
export { type Backing, type BackingKind, type BackingPiece, MemoryBehind } from './backing.js';
export { deviceNumbers } from './dax-backing.js';
export { type DeviceFacts, FileOfDevice } from './file-of-device.js';
export { fillByWrite, storeByWrite } from './fill-by-write.js';
export { whyNoHugePages } from './huge-pages.js';
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
