/** Regions that are alike: swapping them everywhere gives a state that behaves the same, swapped. */
import type { Scope } from './scope.js';

/** Ways to renumber the regions of a scope. The identity first; more only where the scope says they are twins. */
export function permutationsOf(scope: Scope): number[][] {
  const ids = identity(scope.regions.length);
  return scope.twins ? permute(ids) : [ids];
}

export function identity(count: number): number[] {
  return Array.from({ length: count }, (_, id) => id);
}

function permute(ids: readonly number[]): number[][] {
  if (ids.length < 2) return [[...ids]];
  return ids.flatMap((first, at) =>
    permute([...ids.slice(0, at), ...ids.slice(at + 1)]).map((rest) => [first, ...rest]),
  );
}
