/**
 * power: what was not flushed and fenced may be lost, line by line. Stores only add possible memories. So every memory that is
 * possible between two fences is also possible just before the second one. The memories are made there, and at each return of an
 * operation.
 */
import type { Trace } from '../media/tracer.js';
import { Cache, type PendingLine, type Version } from './cache.js';
import { type ExploreOptions, nameOfAct } from './explore.js';
import { ImageBuilder } from './image.js';
import type { Judge, Moment } from './judge.js';
import { randomFrom } from './random.js';

/** @returns the number of places with more combinations than are tried */
export function* explorePowerCuts(
  trace: Trace,
  judge: Judge,
  options: ExploreOptions,
): Generator<void, number> {
  const cache = new Cache(trace.base);
  const random = randomFrom(options.seed);
  const { events } = trace;
  let returned = 0;
  let since = -1;
  let sampled = 0;
  const cut = function* (at: number): Generator<void> {
    const from = since < 0 ? 'the start' : nameOfAct(events[since]);
    const where = `from ${from} to ${nameOfAct(events[at])}`;
    if (yield* cutPower(cache, judge, { model: 'power', where, returned }, random, options)) sampled++;
  };
  for (const [at, event] of events.entries()) {
    if (judge.isEnough) return sampled;
    if (event.kind === 'store') cache.store(event);
    else if (event.kind === 'flush') cache.flush(event);
    else if (event.kind === 'fence') {
      if (!cache.isFlushing) continue;
      yield* cut(at);
      cache.fence();
      since = at;
    } else {
      yield* cut(at);
      returned++;
      since = at;
    }
  }
  yield* cut(events.length);
  return sampled;
}

function* cutPower(
  cache: Cache,
  judge: Judge,
  moment: Omit<Moment, 'lines'>,
  random: () => number,
  { lines: mostLines, samples, everyTear }: ExploreOptions,
): Generator<void, boolean> {
  const lines = [...cache.pending.values()].sort((a, b) => a.line - b.line);
  const combinations = lines.reduce((product, { whole }) => product * whole.length, 1);
  const isWhole = combinations <= 2 ** mostLines;
  const all = function* (): Generator<Version[]> {
    yield* isWhole ? everyCombination(lines) : someCombinations(lines, random, samples);
    yield* tornLines(lines, random, everyTear);
  };
  for (const choices of all()) {
    const image = new ImageBuilder();
    for (const [line, version] of cache.durable) image.put(line, version);
    for (const [i, { line }] of lines.entries()) image.put(line, choices[i]!);
    judge.judge(image, { ...moment, lines: () => reached(lines, choices) });
    yield;
  }
  return !isWhole;
}

function* everyCombination(lines: readonly PendingLine[]): Generator<Version[]> {
  const counters = lines.map(() => 0);
  for (;;) {
    yield lines.map(({ whole }, i) => whole[counters[i]!]!);
    let at = 0;
    while (at < lines.length && ++counters[at]! === lines[at]!.whole.length) counters[at++] = 0;
    if (at >= lines.length) return;
  }
}

/** Tries all old, all new, one alone new or old, the first ones new, the last ones new, and then random combinations. */
function* someCombinations(
  lines: readonly PendingLine[],
  random: () => number,
  samples: number,
): Generator<Version[]> {
  const old = lines.map(({ whole }) => whole[0]!);
  const fresh = lines.map(({ whole }) => whole.at(-1)!);
  yield old;
  yield fresh;
  const step = Math.max(1, Math.ceil((4 * lines.length) / samples));
  for (let i = Math.floor(random() * step); i < lines.length; i += step) {
    yield old.map((version, at) => (at === i ? fresh[at]! : version));
    yield fresh.map((version, at) => (at === i ? old[at]! : version));
    yield old.map((version, at) => (at < i ? fresh[at]! : version));
    yield old.map((version, at) => (at > i ? fresh[at]! : version));
  }
  for (let sample = 0; sample < samples; sample++) yield lines.map(({ whole }) => anyOf(whole, random));
}

/** Tries a line in the middle of a store: with all others old, all others new, and twice with random others. */
function* tornLines(
  lines: readonly PendingLine[],
  random: () => number,
  everyTear: number,
): Generator<Version[]> {
  let tears = 0;
  for (const [i, { torn }] of lines.entries()) {
    for (const { version } of torn) {
      if (tears++ % everyTear !== 0) continue;
      yield lines.map(({ whole }, at) => (at === i ? version : whole[0]!));
      yield lines.map(({ whole }, at) => (at === i ? version : whole.at(-1)!));
      for (let n = 0; n < 2; n++)
        yield lines.map(({ whole }, at) => (at === i ? version : anyOf(whole, random)));
    }
  }
}

function anyOf(versions: readonly Version[], random: () => number): Version {
  return versions[Math.floor(random() * versions.length)]!;
}

const MOST_NAMED = 12;

function reached(lines: readonly PendingLine[], choices: readonly Version[]): string {
  const names = lines.map(({ line, whole }, i) => {
    const index = whole.indexOf(choices[i]!);
    if (index === whole.length - 1) return null;
    const what = index < 0 ? 'torn' : index === 0 ? 'lost' : `as of store ${index} of ${whole.length - 1}`;
    return `${line * 64} ${what}`;
  });
  const lost = names.filter((name) => name !== null);
  if (lost.length === 0) return 'all lines had reached memory';
  const more = lost.length > MOST_NAMED ? ` and ${lost.length - MOST_NAMED} more` : '';
  return `lines at byte ${lost.slice(0, MOST_NAMED).join(', ')}${more}, of ${lines.length} not yet durable`;
}
