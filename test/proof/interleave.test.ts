// The short form of the interleaving proof: two processes stopped at every step of every protocol of shared memory. Everything it
// tries must hold, and it must find every mutant (an order of udax, broken). A schedule is enough to repeat a run.
import { describe, expect, it } from 'vitest';
import { type Decision, Enumeration, following, switchesWithin } from '../../proof/interleave/schedules.js';
import { builtTool, leftovers } from './support.js';

const interleave = builtTool('interleave');

describe('interleavings', () => {
  it('of every protocol hold, every mutant is found, and what was found is found again', async () => {
    const run = await interleave('--short');
    const { report, code, stderr } = run;
    expect([...leftovers('interleave', run), ...leftovers('players', run)]).toEqual([]);
    expect(report.findings, stderr).toEqual([]);
    expect(code).toBe(0);
    const protocols = report.rows.filter(({ what }) => !what.startsWith('mutant'));
    expect(protocols.length).toBeGreaterThanOrEqual(29);
    for (const { figures } of protocols) expect(figures.interleavings).toBeGreaterThanOrEqual(8);
    // One process was stopped with the log's lock, and one with the machine's.
    for (const name of ['append-append', 'state-modes']) {
      expect(
        protocols.find(({ what }) => what === name)!.figures['the other refused in time'],
      ).toBeGreaterThan(0);
    }
    const mutants = report.rows.filter(({ what }) => what.startsWith('mutant'));
    expect(mutants.length).toBeGreaterThanOrEqual(10);
    for (const { figures } of mutants) expect(figures['mutants found']).toBe('1 of 1');
    const { detail } = mutants.find(({ what }) => what === 'mutant no-log-lock')!;
    await isFoundAgain(/--schedule (\w+)/.exec(detail!)![1]!);
  });

  /** A finding is fully described by its schedule. */
  async function isFoundAgain(schedule: string): Promise<void> {
    const words = ['--only', 'append-append', '--schedule', schedule];
    const [one, other] = [0, 1].map(() => interleave(...words, '--mutant', 'no-log-lock'));
    expect((await one!).code).toBe(1);
    expect((await one!).report.findings[0]).toMatch(/^append-append: \/[ab]1 was lost/);
    expect(stepsIn(await one!)).toEqual(stepsIn(await other!));
    // The same schedule with the lock taken: nothing is lost.
    expect((await interleave(...words)).report.findings).toEqual([]);
  }

  const stepsIn = ({ stdout }: { stdout: string }) =>
    stdout.split('\n').filter((line) => /^[AB] /.test(line));
});

describe('an enumeration', () => {
  /** Runs two processes that have `a` and `b` steps and never wait. */
  function run(a: number, b: number, schedule: readonly string[]): Decision[] {
    const left = { A: a, B: b };
    let last: 'A' | 'B' = 'A';
    const decisions: Decision[] = [];
    const choose = following(schedule as never);
    while (left.A + left.B > 0) {
      const other = last === 'A' ? 'B' : 'A';
      const choices = [last, other].filter((one) => left[one as 'A' | 'B'] > 0) as ('A' | 'B')[];
      const chosen = choose(choices, decisions.length) as 'A' | 'B';
      const isPreemption = decisions.length > 0 && choices.length > 1;
      decisions.push({ choices, chosen, isPreemption });
      left[chosen]--;
      last = chosen;
    }
    return decisions;
  }

  function all(a: number, b: number, switches: number): Set<string> {
    const enumeration = new Enumeration(switches);
    const seen = new Set<string>();
    while (enumeration.next) {
      const decisions = run(a, b, enumeration.next);
      const schedule = decisions.map(({ chosen }) => chosen).join('');
      expect(seen.has(schedule), `${schedule} twice`).toBe(false);
      seen.add(schedule);
      enumeration.ran(decisions);
    }
    return seen;
  }

  it('of any number of switches is every way to merge two orders, each once', () => {
    expect(all(4, 3, Number.POSITIVE_INFINITY).size).toBe(35);
    expect(all(5, 5, Number.POSITIVE_INFINITY).size).toBe(252);
  });

  it('of few switches takes the processor away that often at most', () => {
    expect([...all(2, 2, 0)].sort()).toEqual(['AABB', 'BBAA']);
    expect(all(3, 3, 1).size).toBe(6);
  });

  it('is of as many switches as the limit allows', () => {
    expect(switchesWithin(40, 4, 3)).toBe(Number.POSITIVE_INFINITY);
    expect(switchesWithin(2, 15, 14)).toBe(0);
    expect(switchesWithin(3000, 15, 14)).toBeGreaterThanOrEqual(2);
  });
});
