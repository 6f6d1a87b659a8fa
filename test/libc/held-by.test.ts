// Incident: on a busy machine (load 10 on two cores) a call was refused with EBUSY after 60 ms, because the process that had the lock was
// waiting for a processor. Who is at work under a lock lets it go; only who is stopped, or sleeps, may keep it.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HeldBy, ofdLock, waitForLock } from '../../src/libc/index.js';
import { packageRoot } from '../../src/libc/package-root.js';

const LOCK = { start: 0, length: 1 };
let directory: string;
let file: string;
let mine: number;
let children: ChildProcess[];

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-held-'));
  file = path.join(directory, 'file');
  fs.writeFileSync(file, 'two');
  mine = fs.openSync(file, 'r+');
  children = [];
});
afterEach(async () => {
  for (const child of children) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }
  fs.closeSync(mine);
  fs.rmSync(directory, { recursive: true });
});

/** A process that takes the lock, says so, and then does something under it. */
async function holder(then: string): Promise<ChildProcess> {
  const libc = path.join(packageRoot(), 'dist/libc/index.js');
  const text = `import fs from 'node:fs';
    import { ofdLock } from ${JSON.stringify(libc)};
    const fd = fs.openSync(process.argv.at(-1), 'r+');
    ofdLock(fd, 'exclusive', { start: 0, length: 1 });
    fs.writeSync(1, 'locked');
    const spin = (ms) => { for (const end = performance.now() + ms; performance.now() < end; ); };
    ${then}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', text, file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  await once(child.stdout!, 'data');
  return child;
}

function wait(): { got: boolean; ms: number; text: string } {
  const heldBy = new HeldBy(mine, { kind: 'exclusive', ...LOCK });
  const begun = performance.now();
  const got = waitForLock(() => ofdLock(mine, 'exclusive', LOCK), 'it', {}, { heldBy });
  return { got, ms: performance.now() - begun, text: heldBy.text() };
}

const isStopped = async (pid: number) => {
  while (!/\) T /.test(fs.readFileSync(`/proc/${pid}/stat`, 'latin1'))) await new Promise(setImmediate);
};

describe('a lock that another process has', () => {
  it('is waited for while that process works, longer than for one that is stopped', async () => {
    await holder('spin(500); ofdLock(fd, "unlock", { start: 0, length: 1 });');
    expect(wait()).toMatchObject({ got: true });
  });

  it('is given up after 2 s even then', async () => {
    const { pid } = await holder('spin(1e9);');
    const { got, ms, text } = wait();
    expect(got).toBe(false);
    expect(ms).toBeGreaterThan(1900);
    expect(text).toContain(`pid ${pid} (`);
  });

  it.each([
    ['sleeps', 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);', false],
    ['is stopped', 'spin(1e9);', true],
  ])('is given up before that when it %s', async (_what, then, stops) => {
    const child = await holder(then);
    if (stops) {
      child.kill('SIGSTOP');
      await isStopped(child.pid!);
    } else {
      // Its threads have nothing to do a moment after the lock was taken.
      while (new HeldBy(mine, { kind: 'exclusive', ...LOCK }).isAtWork()) await new Promise(setImmediate);
    }
    const { got, ms, text } = wait();
    expect(got).toBe(false);
    expect(ms).toBeLessThan(1900);
    expect(text).toContain(`pid ${child.pid} (`);
    child.kill('SIGCONT');
  });

  it('is not waited for when this thread has it itself', () => {
    const other = fs.openSync(file, 'r+');
    try {
      expect(ofdLock(other, 'exclusive', LOCK)).toBe(true);
      const { got, text } = wait();
      expect(got).toBe(false);
      expect(text).toContain(`pid ${process.pid} (`);
    } finally {
      fs.closeSync(other);
    }
  });

  it("may be another's by the time that who was found with it is seen asleep: it is looked for three times more", () => {
    const other = fs.openSync(file, 'r+');
    const readdir = fs.readdirSync;
    let letsGo = true;
    const spy = vi.spyOn(fs, 'readdirSync').mockImplementation(((at: string) => {
      if (at !== `/proc/${process.pid}/task`) return readdir(at);
      // Between the search and the look at its threads, all of which sleep.
      if (letsGo) ofdLock(other, 'unlock', LOCK);
      return [];
    }) as typeof readdir);
    try {
      const heldBy = new HeldBy(mine, { kind: 'exclusive', ...LOCK });
      const looks = Array.from({ length: 4 }, () => {
        expect(ofdLock(other, 'exclusive', LOCK)).toBe(true);
        return heldBy.isAtWork();
      });
      expect(looks).toEqual([true, true, true, false]);
      letsGo = false;
      ofdLock(other, 'exclusive', LOCK);
      heldBy.moved();
      expect(heldBy.isAtWork()).toBe(false);
    } finally {
      spy.mockRestore();
      fs.closeSync(other);
    }
  });

  it('may have changed hands while it was searched for: nobody is found, and it is looked for three times more', () => {
    const heldBy = new HeldBy(mine, { kind: 'exclusive', ...LOCK });
    expect(Array.from({ length: 5 }, () => heldBy.isAtWork())).toEqual([true, true, true, false, false]);
    // It has: the search begins anew.
    heldBy.moved();
    expect(Array.from({ length: 4 }, () => heldBy.isAtWork())).toEqual([true, true, true, false]);
    expect(heldBy.text()).toBe('a process that this one does not find (look as root: lslocks, lsof)');
  });
});
