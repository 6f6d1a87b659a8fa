/** The explorer's finds: the shortest way to each known bug of a dax bus, beside the same events without the bug. */

import type { Mutant, Scope, TraceStep } from '../../lab/explore/index.js';
import { fail } from '../../libc/index.js';
import type { TourStep, TourSummary, TourView } from '../wire.js';

/** How long one search may take, seconds. */
const MOST_SECONDS = 20;
const MOST_EVENTS = 100;

/** What `exploreLater` answers for one mutant, as far as it is used here. */
interface Found {
  states: number;
  milliseconds: number;
  found: { trace: string[] } | null;
}

/** Loaded when somebody asks: the explorer is large, and nothing else needs it. */
const explorer = () => import('../../lab/explore/index.js');

export async function toursOf(): Promise<TourSummary[]> {
  const { mutants } = await explorer();
  return mutants().map(({ flag, about, invariant, scope }) => ({
    mutant: flag,
    about,
    invariant,
    scope: scope.name,
  }));
}

/** Finds each tour once. */
export class Tours {
  readonly #known = new Map<string, Promise<TourView>>();

  /** @throws DaxError EINVAL no such mutant; ETIMEDOUT nothing was found in time */
  of(mutant: string): Promise<TourView> {
    const known = this.#known.get(mutant);
    if (known !== undefined) return known;
    const found = findTour(mutant);
    this.#known.set(mutant, found);
    found.catch(() => this.#known.delete(mutant));
    return found;
  }
}

async function findTour(name: string): Promise<TourView> {
  const { exploreLater, mutants, runTrace } = await explorer();
  const mutant = mutantNamed(mutants(), name);
  const { output } = await exploreLater({ mutant: name, json: true, time: MOST_SECONDS });
  const [{ found, states, milliseconds } = fail('EIO', 'the explorer answered nothing')] = JSON.parse(
    output,
  ) as Found[];
  if (found === null) fail('ETIMEDOUT', `no trace of ${name} was found within ${MOST_SECONDS} s`);
  return { ...walkOf(mutant, found.trace, runTrace), found: { states, milliseconds } };
}

/**
 * The same for events that somebody wrote, in the scope of a mutant: `insmod fsdev_dax; insmod device_dax`.
 * @throws DaxError EINVAL no such mutant or event
 */
export async function tourOfEvents(name: string, text: string): Promise<TourView> {
  const { parseTrace, runTrace, mutants } = await explorer();
  const events = parseTrace(text);
  if (events.length > MOST_EVENTS) fail('EINVAL', `a tour has at most ${MOST_EVENTS} events`);
  return { ...walkOf(mutantNamed(mutants(), name), events, runTrace), found: null };
}

function mutantNamed(all: readonly Mutant[], name: string): Mutant {
  return all.find(({ flag }) => flag === name) ?? fail('EINVAL', `there is no mutant ${name.slice(0, 40)}`);
}

/** Runs events with the bug and without it. */
function walkOf(
  { scope, about, invariant, flag }: Mutant,
  events: readonly string[],
  runTrace: (scope: Scope, quirks: readonly string[], events: readonly string[]) => TraceStep[],
): Omit<TourView, 'found'> {
  const steps = (quirks: string[]): TourStep[] =>
    runTrace(scope, quirks, events).map((step, at) => ({
      event: step.event,
      isSetup: at < scope.setup.length,
      errno: step.errno,
      violations: step.violations.map(({ invariant: broken, text }) => ({ invariant: broken, text })),
      drivers: { ...step.drivers },
    }));
  return { mutant: flag, about, invariant, scope: scope.name, steps: steps([flag]), sound: steps([]) };
}
