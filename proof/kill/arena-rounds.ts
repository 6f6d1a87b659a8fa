/** Four writers and four readers of one arena, all killed at once, again and again. */
import { randomFrom } from '../steps/tool.js';
import { memoryDirectory } from '../steps/world.js';
import { type ArenaWorker, ArenaWorkers } from './arena-workers.js';

const WRITERS = 4;
const READERS = 4;
const ENDLESS = 1e9;

export interface ArenaRounds {
  rounds: number;
  kills: number;
  told: number;
  problems: string[];
}

/** Each round begins with what the one before left. A reader ends with an error when a value is torn, or changes while it is pinned. */
export async function arenaRounds(seed: number, rounds: number): Promise<ArenaRounds> {
  const random = randomFrom(seed * 104_729);
  const workers = new ArenaWorkers(memoryDirectory('kill-arena'), 'none');
  const sum: ArenaRounds = { rounds: 0, kills: 0, told: 0, problems: [] };
  const known = Array.from({ length: WRITERS }, () => new Map<string, string>());
  try {
    for (; sum.rounds < rounds && sum.problems.length === 0; sum.rounds++) {
      const writers = known.map((certain, i) => workers.start('write', i + 1, ENDLESS, certain));
      const readers = Array.from({ length: READERS }, (_, i) =>
        workers.start('read', 100 + sum.rounds * READERS + i, ENDLESS),
      );
      const all = [...writers, ...readers];
      await Promise.all(all.map(({ ready }) => ready));
      await new Promise((resolve) => setTimeout(resolve, 20 + random() * 300));
      sum.problems.push(...(await kill(all)), ...workers.problems(writers));
      sum.kills += all.length;
      for (const { certain, open, told } of writers) {
        sum.told += told;
        if (open) certain.set(open[0], workers.numberOf(open[0]));
      }
    }
    const members = workers.arena.stats().members.length;
    if (members !== 1) sum.problems.push(`${members} members are left, not 1`);
  } finally {
    await workers.end();
  }
  return sum;
}

/** @returns what they had to say */
async function kill(all: readonly ArenaWorker[]): Promise<string[]> {
  for (const { process: running } of all) running.kill('SIGKILL');
  return (await Promise.all(all.map(({ ended }) => ended))).filter((err) => err !== '');
}
