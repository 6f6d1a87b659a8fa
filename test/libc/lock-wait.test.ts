// What went wrong: an attempt that itself waited (for a device that another process formats) was not counted. Two limits, one
// after the other, blocked the event loop for longer than either allows. Right: all waiting counts, and there is no further
// attempt when the time is over.
import { expect, it } from 'vitest';
import { waitForLock } from '../../src/libc/index.js';

it('a wait whose first attempt took all the time it has does not try again', () => {
  let attempts = 0;
  const attempt = () => {
    attempts++;
    const end = performance.now() + 20;
    while (performance.now() < end);
    return false;
  };
  const since = performance.now();
  expect(waitForLock(attempt, 'a lock', { lockWaitMs: 10 }, { since })).toBe(false);
  expect(attempts).toBe(1);
});
