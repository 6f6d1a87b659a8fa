/** A run of pages, as poison is kept. */
export interface PageRange {
  pfn: number;
  pages: number;
}

/** The pages of `ranges` that no range of `others` covers, as runs by address. Ranges of one list may overlap. */
export function subtractRanges(ranges: readonly PageRange[], others: readonly PageRange[]): PageRange[] {
  const cuts = [...others].sort((a, b) => a.pfn - b.pfn);
  const left: PageRange[] = [];
  /** Cuts before this one end below every range that is still to come. */
  let first = 0;
  for (const range of [...ranges].sort((a, b) => a.pfn - b.pfn)) {
    let pfn = range.pfn;
    const end = range.pfn + range.pages;
    while (first < cuts.length && cuts[first]!.pfn + cuts[first]!.pages <= pfn) first++;
    for (let i = first; i < cuts.length; i++) {
      const cut = cuts[i]!;
      if (cut.pfn >= end) break;
      if (cut.pfn > pfn) left.push({ pfn, pages: cut.pfn - pfn });
      pfn = Math.max(pfn, cut.pfn + cut.pages);
    }
    if (pfn < end) left.push({ pfn, pages: end - pfn });
  }
  return left;
}
