/** Tries faults in one operation, one after another, and reports findings. */
import { DaxError } from '../../src/index.js';
import { CLEANING, type Fault, type Hit, injector } from './injector.js';
import type { Operation } from './operations.js';
import { endOrders, orderWorkers } from './orders.js';
import { beyond, type Traces, tracesOf } from './traces.js';
import { World } from './world.js';

export interface Finding {
  operation: string;
  step: number;
  call: string;
  errno: string;
  what: string;
  stack: string;
}

export interface Outcome {
  hits: Hit[];
  choices: number;
  findings: Finding[];
  /** The error that the operation threw, for a look at a single fault. */
  error?: unknown;
}

interface Expected {
  before: string;
  after: string;
  traces: Traces;
}

/** Warnings of the process. */
const quiet = { warnings: [] as string[] };
process.on('warning', (warning) => quiet.warnings.push(warning.message));

const text = (look: unknown) => JSON.stringify(look, null, 1);

/** The state before and after the operation when nothing fails, and what it leaves open. */
export async function expectedOf(operation: Operation): Promise<Expected> {
  const world = new World();
  try {
    await operation.prepare(world);
    const before = text(world.look());
    await operation.act(world);
    const traces = tracesOf(world.directory);
    await world.endGiven();
    return { before, after: text(world.look()), traces };
  } finally {
    await world.close();
  }
}

export async function tryFault(
  operation: Operation,
  expected: Expected,
  { step, choice, isDouble }: Fault,
): Promise<Outcome> {
  const outside = tracesOf('/nowhere');
  const world = new World();
  const wrong: string[] = [];
  let error: unknown;
  let hasThrown = false;
  let hits: Hit[] = [];
  let choices = 0;
  try {
    await operation.prepare(world);
    const own = tracesOf(world.directory);
    ({ error, hasThrown, hits, choices } = await failing(operation, world, { step, choice, isDouble }));
    if (hits.length > 0) {
      const mostLeft = mayLeave(hits);
      if (hasThrown) wrong.push(...wrongError(error, hits));
      // Memory that is marked for removal may stay when this change could not remove it: the next change does.
      // Done: as it is when nothing fails. Not done: as before, or as after.
      const allowed = hasThrown ? [outside, own, expected.traces] : [outside, expected.traces];
      const left = await whatStays(mostLeft, () =>
        beyond(tracesOf(world.directory), ...allowed).filter(
          (what) => hasThrown || !/^files: .*[.]mem[.]old$/.test(what),
        ),
      );
      if (left.length > mostLeft) wrong.push(...left.map((what) => `left behind: ${what}`));
      await world.endGiven();
      wrong.push(...wrongState(operation, text(world.look()), expected, hasThrown));
      if (hasThrown) wrong.push(...(await wrongRetry(operation, world, expected)));
    }
  } catch (failure) {
    wrong.push(`the world broke: ${(failure as Error).stack ?? String(failure)}`);
  } finally {
    injector.disarm();
    await world.close().catch((failure: unknown) => wrong.push(`closing: ${String(failure)}`));
  }
  const mostLeft = mayLeave(hits);
  const left = await whatStays(mostLeft, () => beyond(tracesOf('/nowhere'), outside));
  if (left.length > mostLeft) wrong.push(...left.map((what) => `left behind at the end: ${what}`));
  const [hit] = hits;
  const findings = wrong.map((what) => ({
    operation: operation.name,
    step,
    call: hits.map(({ name }) => name).join(', then '),
    errno: hits.map(({ code }) => code).join(', then '),
    what,
    stack: hit?.stack ?? '',
  }));
  return { hits, choices, findings, ...(hasThrown && { error }) };
}

/** What is left for good: other threads and the kernel may still be giving something back. */
async function whatStays(most: number, look: () => string[]): Promise<string[]> {
  let left = look();
  for (let tries = 0; left.length > most && tries < 20; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    left = look();
  }
  return left;
}

/** How many resources may be left: one, when releasing it failed. A warning reports it. */
function mayLeave(hits: readonly Hit[]): number {
  return hits.some(({ name }) => CLEANING.has(name)) ? 1 : 0;
}

async function failing(
  operation: Operation,
  world: World,
  fault: Fault,
): Promise<{ error: unknown; hasThrown: boolean; hits: Hit[]; choices: number }> {
  if (operation.worker) return failingWorker(operation, world, fault);
  let error: unknown;
  let hasThrown = false;
  injector.arm(fault);
  try {
    await operation.act(world);
  } catch (thrown) {
    error = thrown;
    hasThrown = true;
  }
  injector.disarm();
  return { error, hasThrown, hits: injector.hits, choices: injector.choices };
}

/** Lets a step of the thread that serves the mount fail. */
async function failingWorker(operation: Operation, world: World, fault: Fault) {
  let error: unknown;
  let hasThrown = false;
  orderWorkers(fault);
  try {
    await operation.act(world);
  } catch (thrown) {
    error = thrown;
    hasThrown = true;
  }
  const hits = endOrders();
  return { error, hasThrown, hits, choices: hits[0]?.choices ?? 0 };
}

/** Injected codes whose error has another errno, because the error describes the object and not the call. */
const SAME: Record<string, readonly string[]> = {
  // A partial write means a full disk.
  PARTIAL: ['ENOSPC'],
  SHORT: [],
  ERR_WORKER_INIT_FAILED: ['EAGAIN'],
};

function wrongError(error: unknown, hits: Hit[]): string[] {
  if (error instanceof RangeError && hits.some(({ name }) => /^(new|Buffer)/.test(name))) return [];
  if (!(error instanceof DaxError)) {
    const { stack = String(error) } = error as Error;
    return [`the error is no DaxError: ${stack.split('\n').slice(0, 8).join('\n')}`];
  }
  const wanted = hits.flatMap(({ code }) => SAME[code] ?? [code]).filter((code) => code !== '');
  if (wanted.length === 0 || wanted.includes(error.code)) return [];
  return [`the error is ${error.code}, not ${wanted.join(' or ')}: ${error.message}`];
}

function wrongState(
  operation: Operation,
  look: string,
  { before, after }: Expected,
  hasThrown: boolean,
): string[] {
  if (!hasThrown)
    return look === after ? [] : [`it said done, but what is there is not: ${difference(after, look)}`];
  if (look === before || operation.mayBecome?.(JSON.parse(look))) return [];
  if (look === after) return ['it was done and reported as failed'];
  return [`it failed and left something half done: ${difference(before, look)}`];
}

async function wrongRetry(operation: Operation, world: World, { after }: Expected): Promise<string[]> {
  try {
    await operation.act(world);
  } catch (error) {
    return [`tried again it fails: ${String(error)}`];
  }
  await world.endGiven();
  const look = text(world.look());
  return look === after ? [] : [`tried again it ends elsewhere: ${difference(after, look)}`];
}

/** A few of the lines that differ. */
function difference(wanted: string, got: string): string {
  const [one, other] = [new Set(wanted.split('\n')), new Set(got.split('\n'))];
  const missing = [...one].filter((line) => !other.has(line)).slice(0, 5);
  const extra = [...other].filter((line) => !one.has(line)).slice(0, 5);
  return [...missing.map((line) => `- ${line.trim()}`), ...extra.map((line) => `+ ${line.trim()}`)].join(' ');
}
