/** Page sizes. PTE, PMD and PUD are the three sizes that the MMU maps (x86-64). */
export const PAGE_SIZE = 4096;
export const PMD_SIZE = 2 * 1024 * 1024;
export const PMD_ORDER = 9;
/** Pages of a 2 MiB section. */
export const PMD_PAGES = 512;
export const PUD_SIZE = 1024 * 1024 * 1024;
export const PUD_ORDER = 18;

/** Pages of a folio of `order`. */
export function pagesOfOrder(order: number): number {
  return 1 << order;
}

/** The order of the folios that a device of this align (bytes: 4096, 2 MiB, 1 GiB) gets at probe. */
export function orderOfAlign(align: number): number {
  return align >= PUD_SIZE ? PUD_ORDER : align >= PMD_SIZE ? PMD_ORDER : 0;
}
