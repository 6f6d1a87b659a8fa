import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { LockTurns, ofdLock, ofdLockConflict, waitForLock, waitForLockLater } from '../../src/libc/index.js';

const LOCK = { start: 0, length: 1 };
const WAITING = { start: 1, length: 1 };
let directory: string;
let mine: number;
let theirs: number;

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-turns-'));
  const file = path.join(directory, 'file');
  fs.writeFileSync(file, 'two');
  mine = fs.openSync(file, 'r+');
  theirs = fs.openSync(file, 'r+');
});
afterEach(() => {
  fs.closeSync(mine);
  fs.closeSync(theirs);
  fs.rmSync(directory, { recursive: true });
});

const isSeen = () => ofdLockConflict(theirs, WAITING) !== null;
const seenWaiting = (wait: (attempt: () => boolean) => boolean): { found: boolean; seen: boolean[] } => {
  const seen: boolean[] = [];
  const found = wait(() => {
    seen.push(isSeen());
    return ofdLock(mine, 'exclusive', LOCK);
  });
  return { found, seen };
};

it('who waits says so after some milliseconds, and no longer when the wait is over', () => {
  expect(ofdLock(theirs, 'exclusive', LOCK)).toBe(true);
  const turns = new LockTurns(mine, WAITING);
  const { found, seen } = seenWaiting((attempt) => waitForLock(attempt, 'it', { lockWaitMs: 30 }, { turns }));
  expect(found).toBe(false);
  expect(seen[0]).toBe(false);
  expect(seen.at(-1)).toBe(true);
  expect(isSeen()).toBe(false);
});

it('so does who waits without blocking, also when the lock comes', async () => {
  expect(ofdLock(theirs, 'exclusive', LOCK)).toBe(true);
  const turns = new LockTurns(mine, WAITING);
  let attempts = 0;
  const attempt = () => {
    // The other lets go once it was told.
    if (isSeen()) ofdLock(theirs, 'unlock', LOCK);
    attempts++;
    return ofdLock(mine, 'exclusive', LOCK);
  };
  expect(await waitForLockLater(attempt, { turns })).toBe(true);
  expect(attempts).toBeGreaterThan(1);
  expect(isSeen()).toBe(false);
});

it('who takes the lock gives way only while another waits', () => {
  const turns = new LockTurns(mine, WAITING);
  const slept = () => {
    let longest = 0;
    const end = performance.now() + 20;
    while (performance.now() < end) {
      const begun = process.cpuUsage();
      const wall = performance.now();
      turns.giveWay();
      const { user, system } = process.cpuUsage(begun);
      longest = Math.max(longest, performance.now() - wall - (user + system) / 1000);
    }
    return longest;
  };
  new LockTurns(mine, WAITING).enter();
  const own = slept();
  const others = new LockTurns(theirs, WAITING);
  others.enter();
  expect(slept()).toBeGreaterThan(0.5);
  others.leave();
  // No bound from above: a busy machine makes everybody sleep.
  expect(own).toBeGreaterThanOrEqual(0);
});
