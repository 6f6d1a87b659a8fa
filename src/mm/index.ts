/**
 * mm/: pages, folios, page maps, resources, memory failure, memory blocks and nodes.
 *
 * Purpose: the kernel's page bookkeeping as far as dax needs it, sparse (decision 7). Units are pages (pfn = hpa / 4096)
 * where a name says pfn or pages, bytes else.
 * Invariants: I1 and I2 (folios and the union word; `PageTable.check()` looks at all of them), no refcount below zero;
 * resources nest and never overlap beside each other; a page of a node is free, given out or retired, never two of these.
 * Lifetime: a PageTable holds state only for what is not at rest; references outlive owners. A NodeAllocation pins pages
 * of online blocks; a block with pinned pages cannot go offline, an online block cannot be removed.
 * No locks: one machine, one thread. Nothing here calls back into the layers above but PageMapOperations.
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
