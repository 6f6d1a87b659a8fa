/** The explorer's finds: the shortest way to each known bug of a dax bus, beside the same events without the bug. */
import { fail } from '../../libc/index.js';
import type { TourStep, TourSummary, TourView } from '../wire.js';

/** How long one search may take, seconds. */
const MOST_SECONDS = 20;

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
  const mutant = mutants().find(({ flag }) => flag === name) ?? fail('EINVAL', `there is no mutant ${name}`);
  const { output } = await exploreLater({ mutant: name, json: true, time: MOST_SECONDS });
  const [{ found, states, milliseconds } = fail('EIO', 'the explorer answered nothing')] = JSON.parse(
    output,
  ) as Found[];
  if (found === null) fail('ETIMEDOUT', `no trace of ${name} was found within ${MOST_SECONDS} s`);
  const { scope, about, invariant, flag } = mutant;
  const steps = (quirks: string[]): TourStep[] =>
    runTrace(scope, quirks, found.trace).map((step, at) => ({
      event: step.event,
      isSetup: at < scope.setup.length,
      errno: step.errno,
      violations: step.violations.map(({ invariant: broken, text }) => ({ invariant: broken, text })),
      drivers: { ...step.drivers },
    }));
  return {
    mutant: flag,
    about,
    invariant,
    scope: scope.name,
    steps: steps([flag]),
    sound: steps([]),
    states,
    milliseconds,
  };
}
