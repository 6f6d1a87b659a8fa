import { describe, expect, it } from 'vitest';
import { PageTable, PMD_ORDER, PMD_PAGES } from '../../src/mm/index.js';
import { BASE, file, other, refcounts, refusal, resting } from './support.js';

const mapped = (pages: PageTable, ...at: number[]) =>
  at.filter((page) => pages.describe(BASE + page).mapping !== null);

describe('clearing', () => {
  it('no pages changes nothing', () => {
    const pages = new PageTable();
    pages.setDefaultOrder(BASE, PMD_PAGES, PMD_ORDER);
    for (const count of [0, -3]) {
      pages.clear(BASE + 5, count);
      expect(pages.describe(BASE + 5)).toMatchObject({ order: 9, head: BASE });
    }
  });

  it('pages inside a section leaves those around them', () => {
    const pages = new PageTable();
    for (const page of [3, 4, 7, 8, PMD_PAGES - 1]) pages.associate(BASE + page, 0, file, page);
    pages.clear(BASE + 4, 4);
    expect(mapped(pages, 3, 4, 7, 8, PMD_PAGES - 1)).toEqual([3, 8, PMD_PAGES - 1]);
    expect(pages.describe(BASE + 8)).toMatchObject({ mapping: file, index: 8 });
    pages.clear(BASE, PMD_PAGES);
    expect(pages.stats().sections).toBe(0);
  });

  it('pages around the border of two sections clears both sides', () => {
    const pages = new PageTable();
    const around = [-13, -12, -1, 0, 7, 8].map((page) => PMD_PAGES + page);
    for (const page of around) pages.associate(BASE + page, 0, file, page);
    pages.clear(BASE + PMD_PAGES - 12, 20);
    expect(mapped(pages, ...around)).toEqual([PMD_PAGES - 13, PMD_PAGES + 8]);
    expect(pages.check()).toEqual([]);
  });

  it('whole sections leaves the ones before and after', () => {
    const pages = new PageTable();
    pages.associateRange(BASE, PMD_ORDER, 4, file, 0);
    pages.clear(BASE + PMD_PAGES, 2 * PMD_PAGES);
    expect([0, 1, 2, 3].map((section) => pages.describe(BASE + section * PMD_PAGES).order)).toEqual([
      9, 0, 0, 9,
    ]);
    expect(pages.stats().sections).toBe(2);
  });

  it('makes order 0 pages of what device_dax left, and a part of a folio takes all of it', () => {
    const pages = new PageTable();
    pages.setDefaultOrder(BASE, 3 * PMD_PAGES, PMD_ORDER);
    pages.mapFolio(BASE, file, 0);
    pages.clear(BASE + 5, PMD_PAGES);
    expect([0, 5, PMD_PAGES, 2 * PMD_PAGES - 1].map((page) => pages.describe(BASE + page))).toEqual(
      [0, 5, PMD_PAGES, 2 * PMD_PAGES - 1].map((page) => resting(BASE + page)),
    );
    expect(pages.describe(BASE + 2 * PMD_PAGES + 1)).toMatchObject({ order: 9 });
    expect([pages.stats().sections, pages.check()]).toEqual([0, []]);
  });

  it('keeps references: each page has those of its folio', () => {
    const pages = new PageTable();
    pages.associate(BASE + 4, 2, file, 0);
    pages.associate(BASE + 8, 2, file, 4);
    pages.get(BASE + 6, 0);
    pages.get(BASE + 20, 0);
    pages.clear(BASE, PMD_PAGES);
    expect(refcounts(pages, BASE + 3, 6)).toEqual([0, 1, 1, 1, 1, 0]);
    for (const page of [4, 5, 8, 9])
      expect(pages.describe(BASE + page)).toMatchObject({ order: 0, head: BASE + page, mapping: null });
    expect([pages.refcount(BASE + 20), pages.check()]).toEqual([1, []]);
    pages.putRange(BASE + 4, 4);
    pages.put(BASE + 20, 0);
    expect(pages.stats().sections).toBe(0);
  });

  it('without dissolving (the upstream bug) takes the owner only: a file is refused the folio', () => {
    const pages = new PageTable();
    pages.setDefaultOrder(BASE, 4 * PMD_PAGES, PMD_ORDER);
    for (const section of [0, 1, 2, 3]) pages.mapFolio(BASE + section * PMD_PAGES, file, section * PMD_PAGES);
    pages.clear(BASE + PMD_PAGES, 2 * PMD_PAGES, { dissolve: false });
    expect(
      [0, 1, 2, 3].map((section) => {
        const { order, mapping, share } = pages.describe(BASE + section * PMD_PAGES);
        return [order, mapping, share];
      }),
    ).toEqual([
      [9, file, 0],
      [9, null, 0],
      [9, null, 0],
      [9, file, 0],
    ]);
    expect(pages.stats().sections).toBe(2);
    expect(refusal(() => pages.associate(BASE + PMD_PAGES, PMD_ORDER, other, 0))).toMatch(
      /^EBUSY: .*compound/,
    );
  });
});

describe('a range is at rest', () => {
  it('when what is not lies before or behind it', () => {
    const pages = new PageTable();
    pages.associate(BASE + 3, 0, file, 0);
    pages.getRange(BASE + 3 * PMD_PAGES, PMD_PAGES);
    pages.setDefaultOrder(BASE + 4 * PMD_PAGES, PMD_PAGES, PMD_ORDER);
    const asked = [
      [0, 3],
      [0, 4],
      [3, 1],
      [4, 1],
      [4, PMD_PAGES],
      [PMD_PAGES, 2 * PMD_PAGES],
      [PMD_PAGES, 2 * PMD_PAGES + 1],
      [4 * PMD_PAGES - 1, 1],
      [4 * PMD_PAGES, 1],
      [5 * PMD_PAGES - 1, 1],
      [5 * PMD_PAGES, PMD_PAGES],
    ] as const;
    expect(asked.map(([at, count]) => pages.atRest(BASE + at, count))).toEqual([
      true,
      false,
      false,
      true,
      true,
      true,
      false,
      false,
      false,
      false,
      true,
    ]);
  });

  it('when device_dax has folios on either side of it', () => {
    const pages = new PageTable();
    pages.setDefaultOrder(BASE, PMD_PAGES, PMD_ORDER);
    pages.setDefaultOrder(BASE + 2 * PMD_PAGES, PMD_PAGES, PMD_ORDER);
    expect(pages.atRest(BASE + PMD_PAGES, PMD_PAGES)).toBe(true);
    expect(pages.atRest(BASE + PMD_PAGES - 1, PMD_PAGES)).toBe(false);
    expect(pages.atRest(BASE + PMD_PAGES, PMD_PAGES + 1)).toBe(false);
  });

  it('not while a page of it is shared, referenced or part of a folio', () => {
    const pages = new PageTable();
    pages.associate(BASE + 4, 2, file, 0);
    expect(pages.atRest(BASE + 6, 1)).toBe(false);
    pages.associate(BASE + 4, 2, other, 0, true);
    expect(pages.atRest(BASE + 6, 1)).toBe(false);
    pages.get(BASE + 9, 0);
    expect([pages.atRest(BASE + 8, 1), pages.atRest(BASE + 8, 2)]).toEqual([true, false]);
  });
});

describe('the bytes of a page table', () => {
  it('are some hundred for each section, and 23 more for each page of a section of pages', () => {
    const pages = new PageTable();
    const bytes = [1, 2, 3].map((section) => {
      pages.associate(BASE + section * PMD_PAGES, PMD_ORDER, file, 0);
      return pages.stats().bytes;
    });
    expect(bytes[0]).toBeGreaterThanOrEqual(100);
    expect(bytes).toEqual([bytes[0], 2 * bytes[0]!, 3 * bytes[0]!]);
    pages.associate(BASE, 0, file, 0);
    const { bytes: all, ...counts } = pages.stats();
    expect(counts).toEqual({ sections: 4, pageSections: 1 });
    expect(all - 4 * bytes[0]!).toBeGreaterThanOrEqual(23 * PMD_PAGES);
    expect(all - 4 * bytes[0]!).toBeLessThan(24 * PMD_PAGES);
  });
});
