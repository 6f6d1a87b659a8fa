/** npm run interleave: see README.md. */
import { removeDirectories } from '../steps/world.js';
import { finish, progress, randomFrom, type Row, toolArguments } from '../steps/tool.js';
import { type Mutant, mutants } from './mutants.js';
import { protocolNamed, protocols } from './protocols/index.js';
import { type Chooser, Enumeration, following, type Letter, randomly, switchesWithin } from './schedules.js';
import { type RunResult, Stage } from './stage.js';
import type { Protocol } from './types.js';

const HELP = `Two processes stopped at every step of every protocol of shared memory (proof/interleave/README.md)

  --only NAME,...      these protocols alone (${protocols.map(({ name }) => name).join(', ')})
  --schedule LETTERS   with --only NAME: this schedule alone, every step told
  --mutant NAME        with --schedule: on a mutant
  --short              a few seconds a protocol
  --exhaustive N       schedules tried in order, a protocol at most (default 3000; short 40)
  --random N           random schedules a protocol (default 1000; short 15)
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
  exhaustive: Number(given.exhaustive ?? (given.short ? 40 : 3000)),
  random: Number(given.random ?? (given.short ? 15 : 1000)),
};
const findings: string[] = [];

/** Runs schedules of one protocol, each world for as many as it is good for. */
class Explorer {
  readonly #protocol: Protocol;
  readonly #mutant: string | undefined;
  #stage: Stage | undefined;
  /** The first that went wrong. */
  finding: string | undefined;
  runs = 0;
  mostSteps = 0;

  constructor(protocol: Protocol, mutant?: string) {
    this.#protocol = protocol;
    this.#mutant = mutant;
  }

  async run(choose: Chooser): Promise<RunResult> {
    if (!this.#stage?.isFresh) {
      await this.end();
      this.#stage = new Stage(this.#protocol, this.#mutant);
      this.#stage.open();
    }
    const result = this.#stage!.run(choose);
    this.runs++;
    this.mostSteps = Math.max(this.mostSteps, result.decisions.length);
    if (result.problems.length > 0) {
      this.finding ??= this.#describe(result);
      // What is left of a world in which something went wrong says nothing more.
      await this.end();
    }
    return result;
  }

  #describe({ problems, decisions }: RunResult): string {
    const schedule = decisions.map(({ chosen }) => chosen).join('');
    const mutant = this.#mutant === undefined ? '' : ` --mutant ${this.#mutant}`;
    const again = `npm run interleave -- --only ${this.#protocol.name}${mutant} --schedule ${schedule}`;
    return `${this.#protocol.name}: ${problems.join('; ')}\n  again: ${again}`;
  }

  async end(): Promise<void> {
    await this.#stage?.end();
    this.#stage = undefined;
  }
}

interface Explored {
  switches: number;
  inOrder: number;
  random: number;
}

/** @param isEnough asked after each run */
async function explore(
  explorer: Explorer,
  protocol: Protocol,
  isEnough: () => boolean,
): Promise<Explored> {
  const straight = await explorer.run(following([]));
  const switches = switchesWithin(limits.exhaustive, ...straight.steps);
  const enumeration = new Enumeration(switches);
  let inOrder = 0;
  // Where nothing but a prefix is given, it may be longer than expected: twice the limit is the end.
  while (enumeration.next && inOrder < 2 * limits.exhaustive && !isEnough()) {
    enumeration.ran((await explorer.run(following(enumeration.next))).decisions);
    inOrder++;
  }
  const isWhole = enumeration.next === undefined;
  let random = 0;
  const next = randomFrom(seed);
  for (; random < limits.random && !isEnough(); random++) {
    if (switches === Number.POSITIVE_INFINITY && isWhole && protocol.hosts === 1) break;
    await explorer.run(randomly(next, protocol.hosts === 2));
  }
  return { switches: isWhole ? switches : switches - 1, inOrder, random };
}

async function proven(protocol: Protocol): Promise<Row> {
  const explorer = new Explorer(protocol);
  try {
    const found = await explore(explorer, protocol, () => explorer.finding !== undefined);
    if (explorer.finding) findings.push(explorer.finding);
    return {
      what: protocol.name,
      figures: {
        about: protocol.about,
        interleavings: explorer.runs,
        'all with switches up to': found.switches === Number.POSITIVE_INFINITY ? 'any' : found.switches,
        'of these in order': found.inOrder,
        random: found.random,
        'most steps': explorer.mostSteps,
        findings: explorer.finding ? 1 : 0,
      },
    };
  } finally {
    await explorer.end();
  }
}

async function caught(mutant: Mutant): Promise<Row> {
  const protocol = protocolNamed(mutant.protocol);
  const explorer = new Explorer(protocol, mutant.name);
  try {
    await explore(explorer, protocol, () => explorer.finding !== undefined);
    if (!explorer.finding) findings.push(`the mutant ${mutant.name} (${mutant.about}) was not found`);
    const figures = {
      about: mutant.about,
      'found after': explorer.finding ? explorer.runs : 'never',
      by: explorer.finding ?? 'nothing',
    };
    return { what: `mutant ${mutant.name}`, figures };
  } finally {
    await explorer.end();
  }
}

/** One schedule, as a finding names it. */
async function replay(name: string, schedule: string): Promise<void> {
  const explorer = new Explorer(protocolNamed(name), given.mutant);
  const { trace } = await explorer.run(following([...schedule] as Letter[]));
  process.stdout.write(`${trace.join('\n')}\n`);
  if (explorer.finding) findings.push(explorer.finding);
  await explorer.end();
}

const names = given.only?.split(',') ?? protocols.map(({ name }) => name);
const rows: Row[] = [];
try {
  if (given.schedule !== undefined) await replay(names[0]!, given.schedule);
  else {
    for (const name of names) {
      rows.push(await proven(protocolNamed(name)));
      progress(`${name}: ${rows.at(-1)!.figures.interleavings} interleavings, ${findings.length} findings`);
    }
    const tried = mutants.filter(({ protocol }) => names.includes(protocol));
    if (!given['no-mutants']) for (const mutant of tried) rows.push(await caught(mutant));
  }
} finally {
  removeDirectories();
}
finish('interleave', { rows, findings, json: given.json ?? false, save: given.save ?? false });
