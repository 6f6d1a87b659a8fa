/**
 * mm/: pages, folios, page maps, resources, memory failure, memory blocks and nodes.
 *
 * Purpose: the kernel's page bookkeeping as far as dax needs it, sparse (decision 7). Units are pages (pfn = hpa / 4096)
 * where a name says pfn or pages, else bytes.
 * Invariants: I1 and I2 (folios and the union word; `PageTable.check()` checks all of them). No refcount is below zero.
 * Resources nest, and siblings never overlap. A page of a node is either free, given out or retired.
 * Lifetime: a PageTable holds state only for pages that are not at rest; references outlive owners. A NodeAllocation pins
 * pages of online blocks. A block with pinned pages cannot go offline, and an online block cannot be removed.
 * No locks: one machine, one thread. Nothing here calls into the layers above, except through PageMapOperations.
 * Failure: EBUSY (in use), EINVAL (misaligned, put without get), ENOMEM (node full), ENOENT (no such block).
 */
export { DefaultOrders } from './default-orders.js';
export * from './memory-blocks.js';
export * from './memory-node.js';
export * from './page-map.js';
export { type FolioDescription, PageTable } from './page-table.js';
export * from './pages.js';
export { type PoisonRange, poisonWithout } from './poison.js';
export * from './resource.js';
export type { AddressSpace } from './section.js';
export { type Violation, violation } from './violation.js';
