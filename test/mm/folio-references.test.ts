import { describe, expect, it } from 'vitest';
import { PageTable, PMD_ORDER, PMD_PAGES } from '../../src/mm/index.js';
import { BASE, file, refcounts, refusal, resting } from './support.js';

const GIB_PAGES = PMD_PAGES * PMD_PAGES;

describe('a put without its get', () => {
  it.each([
    [0, 1],
    [9, PMD_PAGES],
    [0, 2 * PMD_PAGES],
  ])('of resting folios of order %i, %i pages, is refused and leaves no trace', (order, count) => {
    const pages = new PageTable();
    if (order > 0) pages.setDefaultOrder(BASE, PMD_PAGES, order);
    expect(refusal(() => pages.putRange(BASE, count))).toBe(`EINVAL: put of pfn ${BASE} without its get`);
    expect(pages.stats().sections).toBe(0);
    if (order === 0) pages.associate(BASE, PMD_ORDER, file, 0);
    expect(pages.describe(BASE)).toMatchObject({ order: order === 0 ? 9 : order, refcount: 0 });
  });

  it('takes nothing from the folios before the one that had none', () => {
    const pages = new PageTable();
    pages.getRange(BASE, PMD_PAGES);
    pages.getRange(BASE + PMD_PAGES, 3);
    pages.associate(BASE + PMD_PAGES + 4, 2, file, 0);
    for (const [at, count] of [
      [0, PMD_PAGES + 4],
      [0, 2 * PMD_PAGES],
      [PMD_PAGES, PMD_PAGES],
      [PMD_PAGES + 1, 6],
      [PMD_PAGES + 3, 1],
    ] as const)
      expect(refusal(() => pages.putRange(BASE + at, count))).toMatch(/^EINVAL/);
    expect(refcounts(pages, BASE + PMD_PAGES - 2, 8)).toEqual([1, 1, 1, 1, 1, 0, 0, 0]);
    pages.putRange(BASE, PMD_PAGES + 3);
    expect(pages.firstBusy(BASE, 2 * PMD_PAGES)).toBe(-1);
    expect(pages.check()).toEqual([]);
  });
});

describe('references of a whole section', () => {
  it('can be taken page by page and given back at once', () => {
    const pages = new PageTable();
    for (let page = 0; page < PMD_PAGES; page++) pages.get(BASE + page, 0);
    pages.putRange(BASE, PMD_PAGES);
    expect(pages.stats().sections).toBe(0);
  });

  it('add to those of single pages, and go one by one', () => {
    const pages = new PageTable();
    pages.get(BASE + 1, 0);
    pages.getRange(BASE, PMD_PAGES);
    pages.get(BASE + 2, 0);
    expect(refcounts(pages, BASE, 4)).toEqual([1, 2, 2, 1]);
    pages.put(BASE + 3, 0);
    expect(refcounts(pages, BASE, 5)).toEqual([1, 2, 2, 0, 1]);
    pages.get(BASE + 3, 0);
    pages.putRange(BASE, PMD_PAGES);
    expect(refcounts(pages, BASE, 4)).toEqual([0, 1, 1, 0]);
    expect(pages.check()).toEqual([]);
  });

  it('stay where they are when their pages become part of a larger folio at rest', () => {
    const pages = new PageTable();
    const start = 4 * GIB_PAGES;
    pages.getRange(start + 3 * PMD_PAGES, PMD_PAGES);
    pages.setDefaultOrder(start, GIB_PAGES, 18);
    expect(pages.describe(start + 3 * PMD_PAGES + 1)).toMatchObject({ order: 0, refcount: 1 });
    expect(pages.describe(start + 4 * PMD_PAGES)).toMatchObject({ order: 18, head: start, refcount: 0 });
    pages.putRange(start + 3 * PMD_PAGES, PMD_PAGES);
    expect(pages.refcount(start + 3 * PMD_PAGES + 1)).toBe(0);
  });

  it('of folios of 2 MiB and 1 GiB count once for each folio that the range touches', () => {
    const pages = new PageTable();
    const start = 4 * GIB_PAGES;
    pages.setDefaultOrder(start, GIB_PAGES, 18);
    pages.setDefaultOrder(start + GIB_PAGES, 2 * PMD_PAGES, 9);
    pages.getRange(start + 5 * PMD_PAGES, GIB_PAGES - 4 * PMD_PAGES + 1);
    const touched = [0, GIB_PAGES, GIB_PAGES + PMD_PAGES, GIB_PAGES + 2 * PMD_PAGES];
    expect(touched.map((page) => pages.refcount(start + page))).toEqual([1, 1, 1, 0]);
    pages.putRange(start, GIB_PAGES + 2 * PMD_PAGES);
    expect(pages.stats().sections).toBe(0);
  });
});

describe('the first busy page', () => {
  it('is the first with a reference inside the range', () => {
    const pages = new PageTable();
    pages.getRange(BASE + 3, 2);
    pages.getRange(BASE + PMD_PAGES, PMD_PAGES);
    const asked = [
      [0, 10],
      [0, 4],
      [0, 3],
      [4, 1],
      [5, 100],
      [5, PMD_PAGES - 5],
      [5, PMD_PAGES],
      [PMD_PAGES + 9, 1],
      [2 * PMD_PAGES, PMD_PAGES],
    ] as const;
    expect(asked.map(([at, count]) => pages.firstBusy(BASE + at, count))).toEqual([
      BASE + 3,
      BASE + 3,
      -1,
      BASE + 4,
      -1,
      -1,
      BASE + PMD_PAGES,
      BASE + PMD_PAGES + 9,
      -1,
    ]);
  });

  it('is not one that only has an owner', () => {
    const pages = new PageTable();
    pages.associate(BASE, PMD_ORDER, file, 0);
    pages.associate(BASE + PMD_PAGES + 1, 0, file, 0);
    expect(pages.firstBusy(BASE, 2 * PMD_PAGES)).toBe(-1);
    pages.get(BASE + 2 * PMD_PAGES - 1, 0);
    expect(pages.firstBusy(BASE, 2 * PMD_PAGES)).toBe(BASE + 2 * PMD_PAGES - 1);
  });

  it('is any page of a folio that somebody has', () => {
    const pages = new PageTable();
    pages.associate(BASE + 4, 2, file, 0);
    pages.get(BASE + 5, 0);
    expect([3, 4, 6, 8].map((page) => pages.firstBusy(BASE + page, 1))).toEqual([-1, BASE + 4, BASE + 6, -1]);
  });
});

describe('the list of referenced folios', () => {
  const listed = (pages: PageTable) =>
    [...pages.referenced()].map(({ head, order, refcount }) => [head - BASE, order, refcount]);

  it('has each folio once, with its order and count, and none that rests', () => {
    const pages = new PageTable();
    pages.associate(BASE, PMD_ORDER, file, 0);
    pages.associate(BASE + PMD_PAGES, PMD_ORDER, file, 0);
    pages.associate(BASE + 2 * PMD_PAGES, PMD_ORDER, file, 0);
    pages.associate(BASE + 3 * PMD_PAGES + 4, 2, file, 0);
    pages.associate(BASE + 3 * PMD_PAGES + 8, 2, file, 0);
    pages.getRange(BASE, 2 * PMD_PAGES);
    pages.get(BASE, 0);
    pages.get(BASE + 3 * PMD_PAGES + 7, 0);
    expect(listed(pages)).toEqual([
      [0, 9, 2],
      [PMD_PAGES, 9, 1],
      [3 * PMD_PAGES + 4, 2, 1],
    ]);
  });

  it('has every page of a section of pages', () => {
    const pages = new PageTable();
    pages.getRange(BASE, PMD_PAGES);
    expect(listed(pages)).toEqual(Array.from({ length: PMD_PAGES }, (_, page) => [page, 0, 1]));
    pages.putRange(BASE, PMD_PAGES);
    expect([listed(pages), pages.describe(BASE)]).toEqual([[], resting(BASE)]);
  });
});
