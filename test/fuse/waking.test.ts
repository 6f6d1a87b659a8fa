import { spawn } from 'node:child_process';
import { afterEach, describe, expect, it } from 'vitest';
import { DEAD_MOUNT } from '../support/dead-mount.js';

import {
  builtFace,
  cleanUpAfterEachTest,
  isMounted,
  mountpoint,
  mountSample,
  noMounts,
  run,
  startDaemon,
} from './support/mounts.js';

const title = noMounts
  ? `a worker that waits for requests (skipped: ${noMounts})`
  : 'a worker that waits for requests';
const files = { a: 'abc' };
/** Less than the 3 s after which a session ends a worker by force: what takes less was answered by the worker's loop. */
const SOON_MS = 2000;

const readers = new Set<() => Promise<void>>();
cleanUpAfterEachTest();
afterEach(async () => {
  for (const stop of readers) await stop();
});

/** Two processes that look up names and read, repeatedly, until the test or the mount ends. */
async function load(directory: string): Promise<() => Promise<void>> {
  const script = `import os, sys
print('go', flush=True)
while True:
    try:
        with open(sys.argv[1] + '/a', 'rb', buffering=0) as file: file.read(10)
        try: os.stat(sys.argv[1] + '/none')
        except FileNotFoundError: pass
    except OSError: break`;
  const children = [1, 2].map(() =>
    spawn('timeout', ['-k', '1', '30', 'python3', '-c', script, directory], {
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  );
  const ended = Promise.all(children.map((child) => new Promise((done) => child.on('close', done))));
  await Promise.all(children.map((child) => new Promise((done) => child.stdout.once('data', done))));
  const stop = async () => {
    readers.delete(stop);
    for (const child of children) child.kill();
    await ended;
  };
  readers.add(stop);
  return stop;
}

/** How long something took, milliseconds. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const before = performance.now();
  await work();
  return performance.now() - before;
}

describe.skipIf(noMounts !== '')(title, () => {
  it.each(['idle', 'under load'])(
    'answers messages at once, %s',
    async (state) => {
      const { session, directory } = await mountSample({ files, directIo: true });
      if (state !== 'idle') await load(directory);
      let longest = 0;
      for (let round = 0; round < 300; round += 1) {
        const took = await timed(async () => {
          expect(await session.call({ do: 'counts' })).toMatchObject({ known: expect.any(Number) });
        });
        longest = Math.max(longest, took);
      }
      expect(longest).toBeLessThan(SOON_MS);
      const burst = Array.from({ length: 100 }, () => session.call({ do: 'counts' }));
      expect(await Promise.all(burst)).toHaveLength(100);
    },
    30_000,
  );

  it.each(['idle', 'under load'])(
    'stops at once, %s, ten times',
    async (state) => {
      for (let round = 0; round < 10; round += 1) {
        const { session, directory } = await mountSample({ files, directIo: true });
        const stop = state === 'idle' ? null : await load(directory);
        expect(await timed(() => session.unmount())).toBeLessThan(SOON_MS);
        expect(isMounted(directory)).toBe(false);
        expect(await session.closed).toEqual({ reason: 'unmounted' });
        await stop?.();
      }
    },
    60_000,
  );

  it('serves on after thousands of interrupts', async () => {
    const { session, directory } = await mountSample({ files, directIo: true });
    let isOver = false;
    const reading = (async () => {
      for (let round = 0; round < 20; round += 1)
        expect((await run('cat', `${directory}/a`)).stdout).toBe('abc');
      isOver = true;
    })();
    while (!isOver) await session.call({ do: 'counts' });
    await reading;
  });

  it('ends when its connection is aborted', async () => {
    const { abortConnection, fuseMountAt } = await builtFace();
    for (let round = 0; round < 20; round += 1) {
      const { session, directory } = await mountSample({ files });
      expect(abortConnection(fuseMountAt(directory)!)).toBe(true);
      expect(await timed(() => session.closed)).toBeLessThan(SOON_MS);
      expect(await session.closed).toEqual({ reason: 'aborted' });
      expect(isMounted(directory)).toBe(false);
    }
  });

  it('takes the mount down when it dies', async () => {
    const { session, directory } = await mountSample({ files });
    await expect(session.call({ do: 'die' })).rejects.toMatchObject({ code: 'ENOTCONN' });
    expect(await session.closed).toMatchObject({ reason: 'failed' });
    expect(isMounted(directory)).toBe(false);
    await session.unmount();
  });
});

/** Starts a program with every real-time signal blocked, as a parent may do. */
const blocksSignals = [
  'python3',
  '-c',
  'import os, signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, range(34, 65)); os.execv(sys.argv[1], sys.argv[1:])',
];

describe.skipIf(noMounts !== '')(`the process of ${title}`, () => {
  it.each([
    ['exit', 'idle'],
    ['exit', 'under load'],
    ['exit', 'in a handler that never returns'],
    ['exit', 'started with its signals blocked'],
    ['throw', 'under load'],
    ['throw', 'in a handler that never returns'],
  ])(
    'ends at once and leaves no mount: %s, %s',
    async (word, state) => {
      const directory = mountpoint();
      const launcher = state.includes('blocked') ? blocksSignals : [];
      const { daemon, ended } = await startDaemon(directory, { files, directIo: true }, launcher);
      if (state.includes('load')) await load(directory);
      const stuck = state.includes('never') ? run('cat', `${directory}/endless`) : null;
      await new Promise((resolve) => setTimeout(resolve, 300));
      const took = await timed(async () => {
        daemon.stdin?.write(`${word}\n`);
        expect(await ended).toMatch(word === 'exit' ? /^3: / : /^1: /);
      });
      expect(took).toBeLessThan(SOON_MS);
      expect(isMounted(directory)).toBe(false);
      await stuck;
    },
    30_000,
  );

  it.each(['idle', 'under load'])('dies of SIGTERM at once, %s', async (state) => {
    const directory = mountpoint();
    const { daemon, ended } = await startDaemon(directory, { files, directIo: true });
    if (state !== 'idle') await load(directory);
    const took = await timed(async () => {
      daemon.kill('SIGTERM');
      expect(await ended).toMatch(/^SIGTERM: /);
    });
    expect(took).toBeLessThan(SOON_MS);
    expect((await run('ls', directory)).stderr).toMatch(DEAD_MOUNT);
  });
});
