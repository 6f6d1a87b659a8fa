/** npm run kill: see README.md. */

import { finish, progress, type Row, randomFrom, toolArguments } from '../steps/tool.js';
import { removeDirectories } from '../steps/world.js';
import { arenaRounds } from './arena-rounds.js';
import { Crew, type Job } from './crew.js';
import { daemonRounds, whyNoDaemons } from './daemon-rounds.js';
import { type Operation, type OperationKind, operationKinds, type Signal } from './work.js';

const HELP = `Processes killed and stopped at every step and at random (proof/kill/README.md)

  --only KIND:STEP:SIGNAL   one operation (${operationKinds.join(', ')}), ended at one step
  --short                   a few dozen
  --every N                 every N-th step of each operation (default 1; short 12)
  --kinds KIND,...          these alone, at their steps
  --rounds N                rounds of four processes (default 1000; short 3)
  --minutes N               rounds until then, at most
  --arenas N                rounds of four writers and four readers of an arena (default 1000; short 2)
  --daemons N               rounds of a mount whose daemon is killed (default 200; short 3)
  --from N                  the first of them (default 0)
  --seed N                  of the rounds (default 1)
  --json  --save            results as JSON; into proof/results/kill.json, in place of the same rows`;

const given = toolArguments(HELP, {
  only: { type: 'string' },
  short: { type: 'boolean' },
  every: { type: 'string' },
  rounds: { type: 'string' },
  kinds: { type: 'string' },
  daemons: { type: 'string' },
  arenas: { type: 'string' },
  minutes: { type: 'string' },
  from: { type: 'string' },
});
const seed = Number(given.seed ?? 1);
const every = Number(given.every ?? (given.short ? 12 : 1));
/** Rounds of one part: as given; none when only other parts were asked for. */
const roundsOf = (part: 'rounds' | 'daemons' | 'arenas', long: number, short: number): number => {
  const chosen = given.kinds ?? given.rounds ?? given.daemons ?? given.arenas;
  return Number(given[part] ?? (chosen !== undefined ? 0 : given.short ? short : long));
};
const rounds = roundsOf('rounds', 1000, 3);
const daemons = roundsOf('daemons', 200, 3);
const arenas = roundsOf('arenas', 1000, 2);
const hasSteps = given.kinds !== undefined || (given.from === undefined && rounds > 0);
const deadline = performance.now() + Number(given.minutes ?? 600) * 60_000;
const from = Number(given.from ?? 0);
/** More steps than any operation has. */
const MOST_STEPS = 300;
const PROCESSES = 4;
/** One kind for each way to change something. */
const SHORT_KINDS: readonly OperationKind[] = ['mkdir', 'copyManyIn', 'put', 'mode', 'mkfs', 'rewrite'];

const findings: string[] = [];
function found(finding: string): void {
  findings.push(finding);
  progress(`FINDING ${finding}`);
}

const rows: Row[] = [];
let names = 0;

const MODES = ['devdax', 'famfs', 'system-ram'];

function operation(kind: OperationKind, random: () => number): Operation {
  const number = names++;
  if (kind === 'mode') return { kind, name: MODES[Math.floor(random() * MODES.length)]! };
  if (kind === 'put' || kind === 'get' || kind === 'mkfs' || kind === 'rewrite')
    return { kind, name: `${kind}${number}` };
  return { kind, name: `/${kind}${number}` };
}

/** A get needs a message, and a mode change needs another mode first. */
function before(kind: OperationKind): Operation[] {
  if (kind === 'get') return [operation('put', () => 0)];
  return kind === 'mode' ? [{ kind, name: 'devdax' }] : [];
}

const victimOf = (kind: OperationKind): Operation =>
  kind === 'mode' ? { kind, name: 'famfs' } : operation(kind, () => 0);

/** Ends one operation at each of its steps, each time in a new process. */
async function everyStep(crew: Crew, kind: OperationKind, signal: Signal): Promise<number> {
  let tried = 0;
  for (let step = 1; step < MOST_STEPS; step += every) {
    await crew.ready(4);
    crew.round([{ operations: before(kind) }], 'SIGCONT', false);
    const { problems, steps } = crew.round([{ operations: [victimOf(kind)], at: { step, signal } }]);
    const isOver = steps > 0 && steps < step;
    if (isOver) return tried;
    tried++;
    for (const problem of problems) {
      found(
        `${kind} at step ${step}, ${signal}: ${problem}\n  again: npm run kill -- --only ${kind}:${step}:${signal}`,
      );
    }
  }
  return tried;
}

async function steps(): Promise<void> {
  const crew = new Crew(1);
  const all = given.short ? SHORT_KINDS : operationKinds;
  for (const kind of (given.kinds?.split(',') as OperationKind[] | undefined) ?? all) {
    const before = findings.length;
    let tried = 0;
    for (const signal of ['SIGKILL', 'SIGSTOP'] as const) tried += await everyStep(crew, kind, signal);
    const lost = findings.length - before;
    rows.push({ what: `${kind}, at its steps`, figures: { rounds: tried, ...crew.takeFigures(), lost } });
    progress(`${kind}: ${findings.length} findings`);
  }
  findings.push(...(await crew.end()));
}

function jobs(random: () => number): Job[] {
  const victim = Math.floor(random() * PROCESSES);
  const how = random();
  return Array.from({ length: PROCESSES }, (_, index): Job => {
    const operations = Array.from({ length: 3 }, () =>
      operation(operationKinds[Math.floor(random() * operationKinds.length)]!, random),
    );
    const step = 1 + Math.floor(random() * 50);
    const killAtOperation = Math.floor(random() * 3);
    if (index !== victim) return { operations };
    if (how < 0.4) return { operations, at: { step, signal: 'SIGKILL' } };
    return how < 0.7 ? { operations, killAtOperation } : { operations, at: { step, signal: 'SIGSTOP' } };
  });
}

async function manyRounds(): Promise<void> {
  const crew = new Crew(PROCESSES);
  let lost = 0;
  let round = from;
  for (; round < from + rounds && performance.now() < deadline; round++) {
    names = round * 1000;
    const random = randomFrom(seed * 1_000_003 + round);
    await crew.ready(3 * PROCESSES + 2);
    const { problems } = crew.round(jobs(random), random() < 0.3 ? 'SIGKILL' : 'SIGCONT');
    lost += problems.length;
    if (round % 50 === 49) progress(`round ${round}: ${findings.length} findings`);
    for (const problem of problems) {
      found(`round ${round}: ${problem}\n  again: npm run kill -- --seed ${seed} --from ${round} --rounds 1`);
    }
    if (findings.length > 20) break;
  }
  rows.push({
    what: `${PROCESSES} processes, at random`,
    figures: { rounds: round - from, ...crew.takeFigures(), lost },
    detail: `the longest refusal took ${crew.longestRefusalMs} ms by the clock`,
  });
  findings.push(...(await crew.end()));
}

async function killedDaemons(): Promise<void> {
  const reason = whyNoDaemons();
  if (reason !== '') {
    rows.push({
      what: 'the daemon of a mount, at random',
      figures: { rounds: 0 },
      detail: `skipped: ${reason}`,
    });
    return;
  }
  const { problems, ...figures } = await daemonRounds(seed, from, daemons);
  for (const problem of problems)
    found(`${problem}\n  again: npm run kill -- --seed ${seed} --from N --rounds 0 --daemons 1`);
  rows.push({
    what: 'the daemon of a mount, at random',
    figures: { ...figures, kills: daemons, lost: problems.length },
  });
}

async function killedArenas(): Promise<void> {
  const { problems, ...figures } = await arenaRounds(seed, arenas);
  for (const problem of problems)
    found(`an arena: ${problem}\n  again: npm run kill -- --seed ${seed} --arenas ${arenas}`);
  rows.push({
    what: '4 writers and 4 readers of an arena, at random',
    figures: { ...figures, lost: problems.length },
  });
}

async function one(what: string): Promise<void> {
  const [kind, step, signal] = what.split(':') as [OperationKind, string, Signal];
  const crew = new Crew(1);
  await crew.ready(4);
  crew.round([{ operations: before(kind) }], 'SIGCONT', false);
  const job: Job = { operations: [victimOf(kind)], at: { step: Number(step), signal } };
  findings.push(...crew.round([job]).problems);
  rows.push({ what, figures: crew.takeFigures() });
  findings.push(...(await crew.end()));
}

try {
  if (given.only !== undefined) await one(given.only);
  else {
    if (hasSteps) await steps();
    if (rounds > 0) await manyRounds();
    if (daemons > 0) await killedDaemons();
    if (arenas > 0) await killedArenas();
  }
} finally {
  removeDirectories();
}
finish('kill', { rows, findings, json: given.json ?? false, save: given.save ?? false });
