/**
 * fsdax/: files on dax memory, as in fs/dax.c: read, write, zero, fault, layout break.
 *
 * Callers: famfs/, with an {@link IomapProvider} that tells where a file's bytes are on the device.
 * Invariants: a page of a file has at most one entry, PTE (4 KiB) or PMD (2 MiB). The folio of the entry points back to the
 * file (mapping, index). Every mapped span holds one reference on each folio that it covers (I5). No caller gets the address
 * of a page that is not pinned.
 * Lifetime: file > entries > spans > mappings. map() translates (and checks poison and device), makes entries, pins, and maps;
 * when a step fails, the earlier ones are undone in reverse. The memory layer knows which mappings share a span. At the last
 * close it detaches the view, lets go of the memory, and tells the file, which unpins. breakLayout() ends all mappings, then
 * forgets the entries.
 * Failure: EIO poisoned memory (only a write of whole pages repairs it) and data past the end of an image;
 * ENOSPC past the end of a file; ENXIO a device that was disabled; EINVAL, ERANGE, ENOMEM from mapping.
 */
export { AddressSpaceEntries, type Entry } from './entries.js';
export { failMappings } from './failure.js';
export { DaxFile } from './file.js';
export type { Iomap, IomapProvider } from './iomap.js';
export { DaxMapping } from './mapping.js';
