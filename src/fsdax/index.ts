/**
 * fsdax/: files on dax memory, as fs/dax.c has them: read, write, zero, fault, layout break.
 *
 * Who calls it: famfs/, with an {@link IomapProvider} that says where a file's bytes lie on the device.
 * Invariants: a page of a file has at most one entry, PTE (4 KiB) or PMD (2 MiB), and that entry's folio
 * points back to the file (mapping, index); every span of it that is mapped holds one reference on each folio it
 * covers (I5); nobody is told an address of a page that is not pinned.
 * Lifetime: file > entries > spans > mappings. map() = translate (poison and device checked), make entries, pin,
 * map; undone in reverse when a step fails. Which mappings share a span, and which of them is the last, the memory layer knows: it
 * detaches the view, unmaps and tells the file, which unpins. breakLayout() has it end all mappings, then forgets the entries.
 * Failure: EIO poisoned memory (only a write of whole pages repairs it) and data past the end of an image;
 * ENOSPC past the end of a file; ENXIO a device that was disabled; EINVAL, ERANGE, ENOMEM from mapping.
 */
export { AddressSpaceEntries, type Entry } from './entries.js';
export { failMappings } from './failure.js';
export { DaxFile } from './file.js';
export type { Iomap, IomapProvider } from './iomap.js';
export { DaxMapping } from './mapping.js';
