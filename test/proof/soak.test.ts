// The short form of the soak: the operations leave nothing behind, and each control (a deliberate leak) is flagged.
import { describe, expect, it } from 'vitest';
import { allowances, type Figure, type Figures, risingFigures, slopeOf } from '../../proof/soak/figures.js';
import { builtTool, leftovers } from './support.js';

const soak = builtTool('soak');

describe('a soak', () => {
  it('ends with nothing left, and flags who leaks on purpose, for each thing', async () => {
    const run = await soak('--short');
    const { report, code, stderr } = run;
    expect(report.findings, stderr).toEqual([]);
    expect(code).toBe(0);
    for (const { what, figures } of report.rows) {
      if (what.startsWith('control')) expect(figures['leaks flagged']).toBe('6 of 6');
      else if (what !== 'all') expect(figures.operations, what).toBeGreaterThan(0);
    }
    expect(leftovers('soak', run)).toEqual([]);
  });
});

describe('a slope', () => {
  const epoch = (over: Partial<Figures>): Figures => ({
    heapUsed: 0,
    external: 0,
    arrayBuffers: 0,
    rss: 0,
    descriptors: 0,
    mappings: 0,
    memoryMappings: 0,
    locks: 0,
    ...over,
  });

  it('is that of most pairs, whatever some wild epochs say', () => {
    expect(slopeOf([10, 12, 14, 900, 18, 20, 22])).toBe(2);
    expect(slopeOf([5, 5, 80, 5, 5])).toBe(0);
    expect(slopeOf([7])).toBe(0);
  });

  it.each(Object.keys(allowances) as Figure[])(
    'of %s that rises beyond its allowance is told, below it is not',
    (figure) => {
      const rising = (step: number) => Array.from({ length: 10 }, (_, i) => epoch({ [figure]: i * step }));
      expect(risingFigures(rising(allowances[figure] / 5)).map((one) => one.figure)).toEqual([figure]);
      expect(risingFigures(rising(allowances[figure] / 20))).toEqual([]);
    },
  );
});
