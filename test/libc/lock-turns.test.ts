import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
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

it('who takes the lock gives way while another waits, and only then', () => {
  const slept = vi.spyOn(Atomics, 'wait');
  try {
    const turns = new LockTurns(mine, WAITING);
    const later = () => {
      const end = performance.now() + 2;
      while (performance.now() < end);
      turns.giveWay();
      return slept.mock.calls.length;
    };
    turns.enter();
    expect(later()).toBe(0); // that is its own wait
    const other = new LockTurns(theirs, WAITING);
    other.enter();
    expect(later()).toBe(1);
    expect(later()).toBe(2);
    other.leave();
    expect(later()).toBe(2);
  } finally {
    slept.mockRestore();
  }
});
