import { PMD_ORDER, PMD_PAGES, PUD_ORDER, pagesOfOrder } from './pages.js';
import type { PageStates, Section } from './section.js';
import { type Violation, violation } from './violation.js';

/** Checks I1 (folios), I2 (the union word) and the refcounts (I5) of section records. */
export function checkSections(
  sections: Iterable<[number, Section]>,
  defaults: readonly { start: number; end: number; order: number }[],
): Violation[] {
  const wrong: Violation[] = [];
  for (const { start, end, order } of defaults)
    if (start % pagesOfOrder(order) !== 0 || end % pagesOfOrder(order) !== 0)
      wrong.push(violation('I1', `default folios of order ${order} over pfn ${start}..${end} are cut`));
  for (const [number, section] of sections) {
    const where = `section at pfn ${number * PMD_PAGES}`;
    if (![0, PMD_ORDER, PUD_ORDER].includes(section.order))
      wrong.push(violation('I1', `${where} has order ${section.order}`));
    if (number % Math.max(1, pagesOfOrder(section.order) / PMD_PAGES) !== 0)
      wrong.push(violation('I1', `${where} heads a folio of order ${section.order} it is not aligned for`));
    if (section.pages !== null && section.order !== 0)
      wrong.push(violation('I1', `${where} is one folio of order ${section.order} and has pages of its own`));
    if (section.references < 0) wrong.push(violation('I5', `${where} has refcount ${section.references}`));
    if (section.order === 0 && (section.mapping !== null || section.union !== 0))
      wrong.push(violation('I2', `${where} has an owner but is no folio`));
    if (section.union < 0 || !Number.isInteger(section.union))
      wrong.push(violation('I2', `${where} has union word ${section.union}`));
    if (section.pages !== null) wrong.push(...checkPages(section.pages, number * PMD_PAGES));
  }
  return wrong;
}

function checkPages(pages: PageStates, first: number): Violation[] {
  const wrong: Violation[] = [];
  let live = 0;
  let referenced = 0;
  for (let head = 0; head < PMD_PAGES; ) {
    const count = pages.pagesOf(head);
    if (pages.head[head] !== head)
      wrong.push(violation('I1', `pfn ${first + head} is a tail without a head before it`));
    if (head % count !== 0 || head + count > PMD_PAGES)
      wrong.push(violation('I1', `the folio at pfn ${first + head} of ${count} pages is misaligned`));
    for (let tail = head + 1; tail < Math.min(PMD_PAGES, head + count); tail++)
      if (pages.head[tail] !== head || !pages.resting(tail))
        wrong.push(violation('I1', `pfn ${first + tail} does not follow its head ${first + head}`));
    if (pages.references[head]! < 0)
      wrong.push(violation('I5', `pfn ${first + head} has refcount ${pages.references[head]}`));
    if (pages.union[head]! < 0)
      wrong.push(violation('I2', `pfn ${first + head} has union word ${pages.union[head]}`));
    if (!pages.resting(head)) live++;
    referenced += pages.references[head]!;
    head += count;
  }
  if (live !== pages.live)
    wrong.push(violation('I1', `section at pfn ${first} counts ${pages.live} live pages, has ${live}`));
  if (referenced !== pages.referenced)
    wrong.push(
      violation('I5', `section at pfn ${first} counts ${pages.referenced} references, has ${referenced}`),
    );
  return wrong;
}
