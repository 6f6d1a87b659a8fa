/** npm run interleave: see README.md. */

import { finish, progress, type Row, randomFrom, toolArguments } from '../steps/tool.js';
import { removeDirectories } from '../steps/world.js';
import { type Mutant, mutants } from './mutants.js';
import { protocolNamed, protocols } from './protocols/index.js';
import {
  type Chooser,
  Enumeration,
  following,
  type Letter,
  randomly,
  starving,
  switchesWithin,
} from './schedules.js';
import { Players, type RunResult, Stage } from './stage.js';
import type { Protocol } from './types.js';

const HELP = `Two processes stopped at every step of every protocol of shared memory (proof/interleave/README.md)

  --only NAME,...      these protocols alone (${protocols.map(({ name }) => name).join(', ')})
  --schedule LETTERS   with --only NAME: this schedule alone, every step told
  --mutant NAME        with --schedule: on a mutant
  --short              a few seconds a protocol
  --exhaustive N       schedules tried in order, a protocol at most (default 3000; short 2)
  --random N           random schedules a protocol (default 1000; short 6)
  --no-mutants         leaves the mutants out
  --seed N             of the random schedules (default 1)
  --json  --save       results as JSON; into proof/results/interleave.json`;

const given = toolArguments(HELP, {
  only: { type: 'string' },
  schedule: { type: 'string' },
  mutant: { type: 'string' },
  short: { type: 'boolean' },
  exhaustive: { type: 'string' },
  random: { type: 'string' },
  'no-mutants': { type: 'boolean' },
});
const seed = Number(given.seed ?? 1);
const limits = {
  exhaustive: Number(given.exhaustive ?? (given.short ? 2 : 3000)),
  random: Number(given.random ?? (given.short ? 6 : 1000)),
};
/** A mutant is searched until it is found or these limits are reached. */
const mutantLimits = { exhaustive: Math.max(300, limits.exhaustive), random: Math.max(2000, limits.random) };
const findings: string[] = [];

/** The current two processes. They are kept until something goes wrong or another mutant is needed. */
class Troupe {
  #players: Players | undefined;

  players(mutant?: string): Players {
    this.#players ??= new Players(mutant);
    return this.#players;
  }

  async end(): Promise<void> {
    await this.#players?.end();
    this.#players = undefined;
  }
}

/** Runs schedules of one protocol. Each world serves for a limited number of runs. */
class Explorer {
  readonly #protocol: Protocol;
  readonly #mutant: string | undefined;
  readonly #troupe: Troupe;
  #stage: Stage | undefined;
  /** The first problem. */
  finding: string | undefined;
  runs = 0;
  mostSteps = 0;

  constructor(protocol: Protocol, troupe: Troupe, mutant?: string) {
    this.#protocol = protocol;
    this.#troupe = troupe;
    this.#mutant = mutant;
  }

  async run(choose: Chooser, isStarved = false): Promise<RunResult> {
    if (!this.#stage?.isFresh) {
      this.end();
      this.#stage = new Stage(this.#protocol, this.#troupe.players(this.#mutant));
    }
    const result = this.#stage!.run(choose, isStarved);
    this.runs++;
    this.mostSteps = Math.max(this.mostSteps, result.decisions.length);
    if (result.problems.length > 0) {
      this.finding ??= this.#describe(result);
      // After a problem, the rest of a world shows nothing more.
      this.#stage!.end(true);
      this.#stage = undefined;
      await this.#troupe.end();
    }
    // Lets this process do other work.
    await new Promise((resolve) => setImmediate(resolve));
    return result;
  }

  #describe({ problems, decisions }: RunResult): string {
    const schedule = decisions.map(({ chosen }) => chosen).join('');
    const mutant = this.#mutant === undefined ? '' : ` --mutant ${this.#mutant}`;
    const again = `npm run interleave -- --only ${this.#protocol.name}${mutant} --schedule ${schedule}`;
    return `${this.#protocol.name}: ${problems.join('; ')}\n  again: ${again}`;
  }

  end(): void {
    this.#stage?.end(false);
    this.#stage = undefined;
  }
}

interface Explored {
  switches: number;
  inOrder: number;
  random: number;
  stepsOfA: number;
}

/** Runs schedules until a problem is found or all requested ones were tried. */
async function explore(
  explorer: Explorer,
  protocol: Protocol,
  { exhaustive, random: mostRandom }: typeof limits,
): Promise<Explored> {
  const straight = await explorer.run(following([]));
  const switches = switchesWithin(exhaustive, ...straight.steps);
  const enumeration = new Enumeration(switches);
  let inOrder = 0;
  // The estimate may be too low, so the enumeration ends at twice the limit.
  while (enumeration.next && inOrder < 2 * exhaustive && !explorer.finding) {
    enumeration.ran((await explorer.run(following(enumeration.next))).decisions);
    inOrder++;
  }
  const isWhole = enumeration.next === undefined;
  let random = 0;
  const next = randomFrom(seed);
  for (; random < mostRandom && !explorer.finding; random++) {
    if (switches === Number.POSITIVE_INFINITY && isWhole && protocol.hosts === 1) break;
    await explorer.run(randomly(next, protocol.hosts === 2));
  }
  return { switches: isWhole ? switches : switches - 1, inOrder, random, stepsOfA: straight.steps[0] };
}

/** Stops A at each of its steps and lets B continue: B must succeed, or be refused in time with A named. */
async function starve(explorer: Explorer, stepsOfA: number): Promise<{ starved: number; refused: number }> {
  let starved = 0;
  let refused = 0;
  const stride = given.short ? Math.max(1, Math.floor(stepsOfA / 3)) : 1;
  for (let steps = stride; steps < stepsOfA && !explorer.finding; steps += stride, starved++) {
    if ((await explorer.run(starving(steps), true)).isRefused) refused++;
  }
  return { starved, refused };
}

async function proven(protocol: Protocol, troupe: Troupe): Promise<Row> {
  const explorer = new Explorer(protocol, troupe);
  try {
    const found = await explore(explorer, protocol, limits);
    const beside = protocol.hosts === 1 ? await starve(explorer, found.stepsOfA) : { starved: 0, refused: 0 };
    if (explorer.finding) {
      findings.push(explorer.finding);
      progress(`FINDING ${explorer.finding}`);
    }
    return {
      what: protocol.name,
      figures: {
        interleavings: explorer.runs,
        'all with switches up to': found.switches === Number.POSITIVE_INFINITY ? 'any' : found.switches,
        'at random': found.random,
        'one stopped for good': beside.starved,
        'the other refused in time': beside.refused,
        'most steps': explorer.mostSteps,
        findings: explorer.finding ? 1 : 0,
      },
      detail: protocol.about,
    };
  } finally {
    explorer.end();
  }
}

async function caught(mutant: Mutant): Promise<Row> {
  const protocol = protocolNamed(mutant.protocol);
  const troupe = new Troupe();
  const explorer = new Explorer(protocol, troupe, mutant.name);
  try {
    await explore(explorer, protocol, mutantLimits);
    if (!explorer.finding) findings.push(`the mutant ${mutant.name} (${mutant.about}) was not found`);
    return {
      what: `mutant ${mutant.name}`,
      figures: { interleavings: explorer.runs, 'mutants found': explorer.finding ? '1 of 1' : '0 of 1' },
      detail: `${mutant.about}; found: ${explorer.finding ?? 'never'}`,
    };
  } finally {
    explorer.end();
    await troupe.end();
  }
}

/** Runs one schedule, as a finding names it. */
async function replay(name: string, schedule: string, troupe: Troupe): Promise<void> {
  const explorer = new Explorer(protocolNamed(name), troupe, given.mutant);
  const { trace } = await explorer.run(following([...schedule] as Letter[]), schedule.includes('S'));
  process.stdout.write(`${trace.join('\n')}\n`);
  if (explorer.finding) findings.push(explorer.finding);
  explorer.end();
}

const names = given.only?.split(',') ?? protocols.map(({ name }) => name);
const rows: Row[] = [];
const troupe = new Troupe();
try {
  if (given.schedule !== undefined) await replay(names[0]!, given.schedule, troupe);
  else {
    for (const name of names) {
      rows.push(await proven(protocolNamed(name), troupe));
      progress(`${name}: ${rows.at(-1)!.figures.interleavings} interleavings, ${findings.length} findings`);
    }
    const tried = mutants.filter(({ protocol }) => names.includes(protocol));
    if (!given['no-mutants']) for (const mutant of tried) rows.push(await caught(mutant));
  }
} finally {
  await troupe.end();
  removeDirectories();
}
finish('interleave', { rows, findings, json: given.json ?? false, save: given.save ?? false });
