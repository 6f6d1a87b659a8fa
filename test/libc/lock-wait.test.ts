// What went wrong: an attempt that itself waited (a device that another process formats) was not counted: two bounds, one after the other, kept
// the event loop for longer than either allows. Right: all of it counts, and it is not tried again when the time is over.
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
  expect(waitForLock(attempt, 'a lock', { lockWaitMs: 10 }, since)).toBe(false);
  expect(attempts).toBe(1);
});
