import { describe, expect, it } from 'vitest';
import { dist, machineWithFiles, onMachine } from './lifetime-support.js';

/**
 * Incident: a terminated worker left its 21 mappings (and a /dev/shm file that was never freed), and one that ended by itself
 * left the generation word. Right: every mapping is in a ledger that all threads of the process share, and another thread unmaps.
 */
const workers = Number(process.env.UDAX_WORKERS ?? 40);
const source = JSON.stringify(new URL('./mapping-worker.mjs', import.meta.url).href);

/** Starts workers one after the other that end in these ways, and prints whether mappings and descriptors are as before. */
const script = (ends: string[], count: number) => `
  const start = async (end) => {
    const worker = new Worker(new URL(${source}), { workerData: { dist: ${JSON.stringify(dist)}, root, end }, execArgv: [] });
    const over = new Promise((done) => worker.once('exit', done));
    const seen = await new Promise((done, fail) => { worker.once('message', done); worker.once('error', fail); });
    if (end === 'terminate') await worker.terminate();
    await over;
    if (seen !== 2) throw new Error('the worker saw ' + seen);
  };
  const ends = ${JSON.stringify(ends)};
  const inUse = () => JSON.stringify({ mapped: mapped(), descriptors: fs.readdirSync('/proc/self/fd').length });
  for (const end of ends) await start(end);
  const before = inUse();
  const lines = maps().length;
  for (let i = 0; i < ${count}; i++) await start(ends[i % ends.length]);
  // koffi 3.3.4 leaves three anonymous mappings a thread (its call stack, the guard, its heap), the engine some arenas.
  const more = maps().length - lines - 3 * ${count};
  console.log(before === inUse() ? 'as before' : before + ' is now ' + inUse(), more < 24 ? '' : more + ' maps more');
`;

const asBefore = { stdout: 'as before \n', stderr: '', end: 0 };

describe('worker threads that map', () => {
  it.each(['terminate', 'exit', 'close'])('leave neither mapping nor descriptor, ended by %s', (end) => {
    expect(onMachine(machineWithFiles(), script([end], 5))).toEqual(asBefore);
  });

  it(
    `leave nothing, ${workers} of them in all these ways (UDAX_WORKERS says how many)`,
    () => {
      const all = script(['terminate', 'exit', 'close'], workers);
      expect(onMachine(machineWithFiles(), all, {}, process.execPath, 60_000 + workers * 2000)).toEqual(
        asBefore,
      );
    },
    60_000 + workers * 2000,
  );

  it('are cleaned up after by a thread that has mapped nothing itself: the memory of a removed file is free again', () => {
    const outcome = onMachine(
      machineWithFiles(),
      `volume.close();
      machine.close();
      const file = root + '-gone';
      fs.writeFileSync(file, Buffer.alloc(2 ** 20));
      const worker = new Worker(new URL(${source}), { workerData: { dist: ${JSON.stringify(dist)}, file, end: 'terminate' }, execArgv: [] });
      await new Promise((done, fail) => { worker.once('message', done); worker.once('error', fail); });
      fs.rmSync(file);
      const shown = () => maps().filter((line) => line.includes('-gone')).length;
      const during = shown();
      await worker.terminate();
      console.log(during, shown());`,
    );
    expect(outcome).toEqual({ stdout: '1 0\n', stderr: '', end: 0 });
  });
});
