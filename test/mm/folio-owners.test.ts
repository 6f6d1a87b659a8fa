import { describe, expect, it } from 'vitest';
import { PageTable, PMD_ORDER, PMD_PAGES } from '../../src/mm/index.js';
import { BASE, file, other, refcounts, refusal, resting } from './support.js';

describe('an entry of a file', () => {
  it('has an order of 0 to 9, at a page that is a multiple of its size', () => {
    const pages = new PageTable();
    for (const [pfn, order] of [
      [0, -1],
      [BASE, -1],
      [1024 * BASE, 10],
      [BASE + 256, 9],
      [BASE + 1, 1],
    ] as const)
      expect(refusal(() => pages.associate(pfn, order, file, 0))).toBe(
        `EINVAL: pfn ${pfn} cannot head a folio of order ${order}`,
      );
    expect(pages.stats().sections).toBe(0);
  });

  it('that is refused because the page has an owner says whose it is', () => {
    const pages = new PageTable();
    pages.associate(BASE, PMD_ORDER, file, 0);
    pages.associate(BASE + PMD_PAGES, 2, file, 0);
    for (const pfn of [BASE, BASE + PMD_PAGES]) {
      const order = pages.describe(pfn).order;
      expect(refusal(() => pages.associate(pfn, order, other, 0))).toBe(
        `EBUSY: pfn ${pfn} belongs to /a already`,
      );
      pages.associate(pfn, order, other, 0, true);
      expect(refusal(() => pages.associate(pfn, order, other, 0))).toBe(
        `EBUSY: pfn ${pfn} belongs to several files already`,
      );
      expect(pages.describe(pfn)).toMatchObject({ order, share: 2 });
    }
  });

  it('of 2 MiB is refused over pages in use, which can be mapped one by one', () => {
    const pages = new PageTable();
    pages.getRange(BASE, PMD_PAGES);
    pages.associate(BASE + PMD_PAGES + 9, 0, other, 0);
    for (const shared of [false, true])
      for (const pfn of [BASE, BASE + PMD_PAGES])
        expect(refusal(() => pages.associate(pfn, PMD_ORDER, file, 0, shared))).toBe(
          `EBUSY: pages of the 2 MiB at pfn ${pfn} are in use: map it by single pages`,
        );
    pages.associate(BASE + 3, 0, file, 3);
    expect(pages.describe(BASE + 3)).toMatchObject({ mapping: file, index: 3, refcount: 1 });
  });

  it('of some pages needs these pages at rest, and no others', () => {
    const pages = new PageTable();
    pages.associate(BASE + 8, 0, other, 0);
    pages.associate(BASE + PMD_PAGES, 0, other, 0);
    pages.get(BASE + 22, 0);
    pages.associate(BASE + 4, 2, file, 0);
    pages.associate(BASE + PMD_PAGES - 4, 2, file, 0);
    expect(refusal(() => pages.associate(BASE + 8, 2, file, 0, true))).toBe('ok');
    expect(pages.describe(BASE + 8)).toMatchObject({ order: 0, share: 2 });
    expect(refusal(() => pages.associate(BASE + 20, 2, file, 0))).toBe(
      `EBUSY: pages of the folio of order 2 at pfn ${BASE + 20} are in use`,
    );
    expect(refusal(() => pages.associate(BASE, 4, file, 0))).toMatch(/^EBUSY: .* order 4 .* are in use$/);
    expect(pages.check()).toEqual([]);
  });

  it.each([
    [0, 3],
    [2, 4],
    [9, 512],
  ])('of order %i, shared, counts its owners and forgets whose it was first', (order, index) => {
    const pages = new PageTable();
    pages.associate(BASE, order, file, index);
    expect(pages.describe(BASE)).toEqual({ ...resting(BASE), order, mapping: file, index });
    for (const share of [2, 3, 4]) {
      pages.associate(BASE, order, other, 7, true);
      expect(pages.describe(BASE)).toEqual({ ...resting(BASE), order, share });
    }
    expect(pages.check()).toEqual([]);
    pages.get(BASE, 0);
    pages.put(BASE, 0);
    for (const share of [3, 2, 1]) {
      expect(pages.disassociate(BASE)).toBe(0);
      expect(pages.describe(BASE)).toEqual({ ...resting(BASE), order, share });
    }
    expect(pages.disassociate(BASE)).toBe(order);
    expect([pages.describe(BASE), pages.stats().sections]).toEqual([resting(BASE), 0]);
  });

  it('of the first page of a file is shared as any other', () => {
    const pages = new PageTable();
    pages.associate(BASE, 0, file, 0);
    expect(refusal(() => pages.associate(BASE, 0, other, 0))).toMatch(/^EBUSY: .* belongs to \/a already/);
    pages.associate(BASE, 0, other, 0, true);
    expect(pages.describe(BASE)).toMatchObject({ mapping: null, share: 2 });
  });

  it('shared by nobody before is that of its first owner', () => {
    const pages = new PageTable();
    pages.associate(BASE, PMD_ORDER, file, 512, true);
    pages.associate(BASE + PMD_PAGES, 0, file, 5, true);
    expect(pages.describe(BASE)).toMatchObject({ mapping: file, index: 512, share: 0 });
    expect(pages.describe(BASE + PMD_PAGES)).toMatchObject({ mapping: file, index: 5, share: 0 });
  });
});

describe('a run of entries', () => {
  it.each([
    [9, PMD_PAGES],
    [2, 4],
    [0, 1],
  ])('of order %i has as many folios as it says, with an index each', (order, size) => {
    const pages = new PageTable();
    pages.associateRange(BASE, order, 3, file, 1024);
    const heads = [0, 1, 2, 3].map((entry) => pages.describe(BASE + entry * size));
    expect(heads.map(({ mapping, index }) => [mapping, index])).toEqual([
      [file, 1024],
      [file, 1024 + size],
      [file, 1024 + 2 * size],
      [null, 0],
    ]);
    pages.disassociateRange(BASE + size, order, 1);
    expect([0, 1, 2].map((entry) => pages.describe(BASE + entry * size).mapping)).toEqual([file, null, file]);
    pages.disassociateRange(BASE, order, 3);
    expect(pages.stats().sections).toBe(0);
  });

  it('that meets somebody else leaves none of its entries, and the other as it was', () => {
    const pages = new PageTable();
    pages.associate(BASE + 12, 2, other, 40);
    expect(refusal(() => pages.associateRange(BASE, 2, 8, file, 0))).toMatch(/^EBUSY: .* belongs to \/b/);
    expect([0, 4, 8, 16].map((page) => pages.describe(BASE + page))).toEqual(
      [0, 4, 8, 16].map((page) => resting(BASE + page)),
    );
    expect(pages.describe(BASE + 13)).toMatchObject({ mapping: other, index: 40 });
  });
});

describe('removing an entry', () => {
  it('of a page without an owner changes nothing', () => {
    const pages = new PageTable();
    expect(pages.disassociate(BASE)).toBe(0);
    pages.setDefaultOrder(BASE, PMD_PAGES, PMD_ORDER);
    pages.get(BASE, 0);
    expect(pages.disassociate(BASE + 5)).toBe(0);
    expect(pages.describe(BASE + 5)).toMatchObject({ order: 9, head: BASE, refcount: 1 });
    pages.get(BASE + PMD_PAGES + 1, 0);
    expect(pages.disassociate(BASE + PMD_PAGES + 1)).toBe(0);
    expect(pages.refcount(BASE + PMD_PAGES + 1)).toBe(1);
  });

  it('leaves order 0 pages, each with the references of the folio, and neighbours as they were', () => {
    const pages = new PageTable();
    pages.associate(BASE + 4, 2, file, 8);
    pages.associate(BASE + 8, 1, other, 0);
    pages.get(BASE + 6, 0);
    expect(pages.disassociate(BASE + 7)).toBe(2);
    expect(refcounts(pages, BASE + 3, 6)).toEqual([0, 1, 1, 1, 1, 0]);
    for (const page of [4, 5, 6, 7])
      expect(pages.describe(BASE + page)).toEqual({ ...resting(BASE + page), refcount: 1 });
    expect(pages.describe(BASE + 9)).toMatchObject({ order: 1, head: BASE + 8, mapping: other });
    expect(pages.check()).toEqual([]);
  });

  it('without references leaves pages that can join another folio', () => {
    const pages = new PageTable();
    pages.associate(BASE, 0, other, 0);
    pages.associate(BASE + 4, 2, file, 8);
    pages.disassociate(BASE + 4);
    for (const page of [4, 5, 6, 7]) expect(pages.describe(BASE + page)).toEqual(resting(BASE + page));
    pages.associate(BASE + 6, 1, file, 2);
    expect(pages.describe(BASE + 7)).toMatchObject({ order: 1, head: BASE + 6, index: 2 });
    expect(pages.check()).toEqual([]);
  });
});

describe('a folio of device_dax', () => {
  it('belongs to who mapped it first, until it is unmapped; its order stays', () => {
    const pages = new PageTable();
    pages.setDefaultOrder(BASE, 2 * PMD_PAGES, PMD_ORDER);
    pages.mapFolio(BASE + 5, file, 512);
    pages.mapFolio(BASE, other, 0);
    expect(pages.describe(BASE + 1)).toEqual({
      ...resting(BASE),
      order: 9,
      mapping: file,
      index: 512,
    });
    pages.mapFolio(BASE + PMD_PAGES, other, 0);
    pages.getRange(BASE, 2 * PMD_PAGES);
    pages.putRange(BASE, 2 * PMD_PAGES);
    expect(pages.describe(BASE)).toMatchObject({ mapping: file, refcount: 0 });
    expect(pages.describe(BASE + PMD_PAGES)).toMatchObject({ mapping: other, index: 0, refcount: 0 });
    pages.unmapFolio(BASE + PMD_PAGES);
    pages.unmapFolio(BASE + 7);
    expect(pages.describe(BASE + 5)).toEqual({ ...resting(BASE), order: 9 });
    expect(pages.stats().sections).toBe(0);
  });

  it('of one page is owned alone', () => {
    const pages = new PageTable();
    pages.mapFolio(BASE + 3, file, 7);
    pages.mapFolio(BASE + 3, other, 1);
    expect(pages.describe(BASE + 3)).toEqual({ ...resting(BASE + 3), mapping: file, index: 7 });
    expect([2, 4].map((page) => pages.describe(BASE + page).mapping)).toEqual([null, null]);
    pages.mapFolio(BASE + 4, other, 8);
    expect(pages.check()).toEqual([]);
    pages.unmapFolio(BASE + 3);
    expect([3, 4].map((page) => pages.describe(BASE + page).mapping)).toEqual([null, other]);
    pages.unmapFolio(BASE + 4);
    expect(pages.stats().sections).toBe(0);
  });

  it('that nobody mapped is unmapped without a trace', () => {
    const pages = new PageTable();
    pages.unmapFolio(BASE);
    expect([pages.describe(BASE), pages.stats().sections]).toEqual([resting(BASE), 0]);
  });

  it('is part of a compound folio for files, whoever else has a reference', () => {
    const pages = new PageTable();
    pages.setDefaultOrder(BASE, 2 * PMD_PAGES, PMD_ORDER);
    pages.get(BASE, 0);
    for (const shared of [false, true])
      for (const order of [0, 9])
        for (const pfn of [BASE, BASE + PMD_PAGES])
          expect(refusal(() => pages.associate(pfn, order, file, 0, shared))).toMatch(
            /^EBUSY: .* is part of a compound folio at rest/,
          );
    expect(pages.describe(BASE)).toMatchObject({ order: 9, mapping: null, share: 0, refcount: 1 });
  });

  it('keeps the owners that share it while references come and go', () => {
    const pages = new PageTable();
    pages.setDefaultOrder(BASE, PMD_PAGES, PMD_ORDER);
    pages.mapFolio(BASE, file, 0);
    pages.associate(BASE, PMD_ORDER, other, 0, true);
    pages.get(BASE, 0);
    pages.put(BASE, 0);
    expect(pages.describe(BASE)).toMatchObject({ order: 9, share: 2, refcount: 0 });
  });

  it('that was reset as a file entry is order 0 pages, which a file can have', () => {
    const pages = new PageTable();
    pages.setDefaultOrder(BASE, PMD_PAGES, PMD_ORDER);
    pages.mapFolio(BASE, other, 0);
    expect(pages.disassociate(BASE)).toBe(9);
    expect(pages.describe(BASE + 4)).toEqual(resting(BASE + 4));
    pages.associate(BASE, PMD_ORDER, file, 512);
    expect(pages.describe(BASE + 4)).toMatchObject({ order: 9, head: BASE, mapping: file, index: 512 });
  });
});
