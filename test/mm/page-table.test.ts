import { describe, expect, it } from 'vitest';
import { PageTable, PMD_ORDER, PMD_PAGES } from '../../src/mm/index.js';

const file = { name: '/a' };
const other = { name: '/b' };
const BASE = 1024 * PMD_PAGES;

function errorCode(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'ok';
}

describe('folios of files', () => {
  it('a page that nobody touched is a resting order 0 page and costs nothing', () => {
    const pages = new PageTable();
    expect(pages.describe(BASE + 7)).toEqual({
      order: 0,
      head: BASE + 7,
      mapping: null,
      index: 0,
      share: 0,
      refcount: 0,
    });
    expect(pages.stats()).toEqual({ sections: 0, pageSections: 0, bytes: 0 });
  });

  it('associating 2 MiB makes one folio whose tails point to its head', () => {
    const pages = new PageTable();
    pages.associate(BASE, PMD_ORDER, file, 512);
    expect(pages.describe(BASE + 300)).toMatchObject({ order: 9, head: BASE, mapping: file, index: 512 });
    expect(pages.stats()).toMatchObject({ sections: 1, pageSections: 0 });
  });

  it('associating again is refused, unless the extent is shared: then it is counted', () => {
    const pages = new PageTable();
    pages.associate(BASE, PMD_ORDER, file, 0);
    expect(errorCode(() => pages.associate(BASE, PMD_ORDER, file, 0))).toBe('EBUSY');
    pages.associate(BASE, PMD_ORDER, other, 0, true);
    expect(pages.describe(BASE)).toMatchObject({ mapping: null, index: 0, share: 2 });
    expect(pages.disassociate(BASE)).toBe(0);
    expect(pages.describe(BASE)).toMatchObject({ order: 9, share: 1 });
    expect(pages.disassociate(BASE)).toBe(9);
    expect(pages.stats().sections).toBe(0);
  });

  it('a small folio inside a section leaves its neighbours alone', () => {
    const pages = new PageTable();
    pages.associate(BASE + 4, 2, file, 8);
    expect(pages.describe(BASE + 6)).toMatchObject({ order: 2, head: BASE + 4, index: 8 });
    expect(pages.describe(BASE + 8)).toMatchObject({ order: 0, mapping: null });
    expect(pages.disassociate(BASE + 4)).toBe(2);
    expect(pages.stats().sections).toBe(0);
  });

  it('a folio needs resting pages', () => {
    const pages = new PageTable();
    pages.associate(BASE + 1, 0, file, 1);
    expect(errorCode(() => pages.associate(BASE, PMD_ORDER, other, 0))).toBe('EBUSY');
    expect(errorCode(() => pages.associate(BASE, 1, other, 0))).toBe('EBUSY');
    expect(errorCode(() => pages.associate(BASE + 1, 1, other, 0))).toBe('EINVAL');
  });

  it('a range of entries is associated whole or not at all', () => {
    const pages = new PageTable();
    pages.associate(BASE + 3 * PMD_PAGES, PMD_ORDER, other, 0);
    expect(errorCode(() => pages.associateRange(BASE, PMD_ORDER, 8, file, 0))).toBe('EBUSY');
    expect(pages.stats().sections).toBe(1);
  });

  it('pages that device_dax left compound are refused until they are cleared', () => {
    const pages = new PageTable();
    pages.setDefaultOrder(BASE, 4 * PMD_PAGES, PMD_ORDER);
    expect(pages.describe(BASE + 5)).toMatchObject({ order: 9, head: BASE });
    expect(errorCode(() => pages.associate(BASE, PMD_ORDER, file, 0))).toBe('EBUSY');
    expect(errorCode(() => pages.associate(BASE + 1, 0, file, 0))).toBe('EBUSY');
    pages.clear(BASE, 4 * PMD_PAGES);
    pages.associate(BASE, PMD_ORDER, file, 0);
    expect(pages.check()).toEqual([]);
  });
});

describe('references', () => {
  it('count once per folio, however much of it is asked for', () => {
    const pages = new PageTable();
    pages.associate(BASE, PMD_ORDER, file, 0);
    pages.get(BASE + 5, 0);
    pages.getRange(BASE, PMD_PAGES);
    expect(pages.refcount(BASE + 500)).toBe(2);
    pages.put(BASE + 500, 0);
    pages.putRange(BASE, PMD_PAGES);
    expect(pages.refcount(BASE)).toBe(0);
  });

  it('of single pages are their own', () => {
    const pages = new PageTable();
    pages.getRange(BASE + 1, 2);
    expect([0, 1, 2, 3].map((page) => pages.refcount(BASE + page))).toEqual([0, 1, 1, 0]);
    pages.putRange(BASE + 1, 2);
    expect(pages.stats().sections).toBe(0);
  });

  it('of whole sections cost one count, and can be given back page by page', () => {
    const pages = new PageTable();
    pages.getRange(BASE, 2 * PMD_PAGES);
    expect(pages.stats()).toMatchObject({ sections: 2, pageSections: 0 });
    for (let page = 0; page < 2 * PMD_PAGES; page++) pages.put(BASE + page, 0);
    expect(pages.stats().sections).toBe(0);
  });

  it('cannot go below zero', () => {
    const pages = new PageTable();
    expect(errorCode(() => pages.put(BASE, 0))).toBe('EINVAL');
    expect(errorCode(() => pages.put(BASE, PMD_ORDER))).toBe('EINVAL');
  });

  it('survive the reset of their folio, on every page of it', () => {
    const pages = new PageTable();
    pages.associate(BASE, PMD_ORDER, file, 0);
    pages.get(BASE, PMD_ORDER);
    pages.disassociate(BASE);
    expect(pages.describe(BASE + 9)).toMatchObject({ order: 0, head: BASE + 9, refcount: 1, mapping: null });
    expect(pages.firstBusy(BASE - 10, 20)).toBe(BASE);
    pages.putRange(BASE, PMD_PAGES);
    expect(pages.stats().sections).toBe(0);
  });
});

describe('ranges', () => {
  it('clearing keeps what lies outside, cuts folios at its edges, and keeps references', () => {
    const pages = new PageTable();
    pages.associate(BASE, PMD_ORDER, file, 0);
    pages.associate(BASE + PMD_PAGES, PMD_ORDER, file, 512);
    pages.associate(BASE + 2 * PMD_PAGES + 1, 0, file, 1025);
    pages.get(BASE + PMD_PAGES, PMD_ORDER);
    pages.clear(BASE + PMD_PAGES, PMD_PAGES + 256);
    expect(pages.describe(BASE)).toMatchObject({ order: 9, mapping: file });
    expect(pages.describe(BASE + PMD_PAGES)).toMatchObject({ order: 0, mapping: null, refcount: 1 });
    expect(pages.describe(BASE + 2 * PMD_PAGES + 1)).toMatchObject({ mapping: null });
    expect(pages.check()).toEqual([]);
  });

  it('a 1 GiB device keeps one record for a folio of 1 GiB', () => {
    const pages = new PageTable();
    const start = 512 * 512 * 4;
    pages.setDefaultOrder(start, 512 * 512, 18);
    pages.mapFolio(start + 70_000, file, 0);
    pages.get(start + 70_000, 0);
    expect(pages.describe(start + 99_999)).toMatchObject({
      order: 18,
      head: start,
      mapping: file,
      refcount: 1,
    });
    expect(pages.stats().sections).toBe(1);
    pages.put(start, 18);
    pages.unmapFolio(start + 1);
    expect(pages.stats().sections).toBe(0);
    expect(pages.check()).toEqual([]);
  });

  it('says when a range is at rest', () => {
    const pages = new PageTable();
    expect(pages.atRest(BASE, 4 * PMD_PAGES)).toBe(true);
    pages.associate(BASE + PMD_PAGES + 3, 0, file, 0);
    expect(pages.atRest(BASE, 4 * PMD_PAGES)).toBe(false);
    expect(pages.atRest(BASE + PMD_PAGES + 4, 10)).toBe(true);
    pages.setDefaultOrder(BASE, PMD_PAGES, PMD_ORDER);
    expect(pages.atRest(BASE, PMD_PAGES)).toBe(false);
  });
});

describe('poison', () => {
  it('is kept as merged ranges and found by the first page', () => {
    const pages = new PageTable();
    pages.poison(100, 2);
    pages.poison(102, 3);
    pages.poison(200, 1);
    expect(pages.poisonedRanges()).toEqual([
      { pfn: 100, pages: 5 },
      { pfn: 200, pages: 1 },
    ]);
    expect(pages.firstPoisoned(0, 1000)).toBe(100);
    expect(pages.firstPoisoned(103, 10)).toBe(103);
    pages.unpoison(101, 1);
    expect(pages.poisonedRanges()).toEqual([
      { pfn: 100, pages: 1 },
      { pfn: 102, pages: 3 },
      { pfn: 200, pages: 1 },
    ]);
    expect([pages.isPoisoned(101), pages.isPoisoned(101, 2), pages.isPoisoned(100)]).toEqual([
      false,
      true,
      true,
    ]);
  });
});
