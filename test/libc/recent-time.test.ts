import { afterEach, describe, expect, it } from 'vitest';
import { beginMoment, endMoment, recentTime } from '../../src/libc/index.js';

/** Waits until the clock has moved. */
function waitForClock(): void {
  const before = performance.now();
  while (performance.now() === before);
}

describe('the recent time', () => {
  afterEach(endMoment);

  it('is the clock outside of a moment', () => {
    const before = performance.now();
    waitForClock();
    expect(recentTime()).toBeGreaterThan(before);
  });

  it('stands still within a moment, for the checks of one request', () => {
    const begun = beginMoment();
    waitForClock();
    expect([recentTime(), recentTime(), recentTime()]).toEqual([begun, begun, begun]);
    endMoment();
    expect(recentTime()).toBeGreaterThan(begun);
  });

  it('goes on for who waits within a moment', () => {
    const begun = beginMoment();
    let looks = 0;
    while (recentTime() === begun) looks++;
    expect(looks).toBeLessThan(100);
  });
});
