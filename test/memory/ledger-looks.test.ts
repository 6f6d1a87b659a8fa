/**
 * Incident: a worker that mapped while no descriptor was left could not read /proc/self/task/N/stat of the main thread, took it for
 * a thread that had ended, and unmapped what it used: SIGSEGV. And the end of a worker ended the process, when /proc/self/maps could
 * not be read. Right: only the kernel's own word says that a thread has ended, and the ledger never throws into an event.
 */
import { describe, expect, it } from 'vitest';
import { dist, machineWithFiles, onMachine } from './lifetime-support.js';

const worker = JSON.stringify(new URL('./mapping-worker.mjs', import.meta.url).href);

/** Lets reads of files fail that match, as they do when descriptors have run out. In worker threads, or in the main thread. */
const without = (files: string, inWorkers: boolean) =>
  `import fs from 'node:fs'; import { syncBuiltinESMExports } from 'node:module'; import { isMainThread } from 'node:worker_threads';
  const read = fs.readFileSync;
  fs.readFileSync = (file, ...rest) => {
    if (isMainThread !== ${inWorkers} && globalThis.isScarce !== false && ${files}.test(file))
      throw Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE', errno: -24, syscall: 'open' });
    return read(file, ...rest);
  };
  syncBuiltinESMExports();`;
const preload = (source: string) => ({
  NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(source)}`,
});

const startWorker = `
  const worker = new Worker(new URL(${worker}), { workerData: { dist: ${JSON.stringify(dist)}, root, end: 'close' }, execArgv: [] });
  const over = new Promise((done) => worker.once('exit', done));
  console.log(await new Promise((done, fail) => { worker.once('message', done); worker.once('error', fail); }));
  await over;`;

describe('a thread that cannot look at /proc', () => {
  it('unmaps nothing of the threads that live', () => {
    const outcome = onMachine(
      machineWithFiles(),
      `const view = volume.open('/f1').map();
      ${startWorker}
      console.log(view[5]);`,
      preload(without('/task.\\d+.stat/', true)),
    );
    expect(outcome).toEqual({ stdout: '2\n2\n', stderr: '', end: 0 });
  });

  it('goes on when a worker ends', () => {
    const outcome = onMachine(
      machineWithFiles(),
      `const view = volume.open('/f1').map();
      globalThis.isScarce = true;
      ${startWorker}
      console.log(view[5]);`,
      preload(`globalThis.isScarce = false; ${without('/self.maps/', false)}`),
    );
    expect(outcome).toEqual({ stdout: '2\n2\n', stderr: '', end: 0 });
  });
});
