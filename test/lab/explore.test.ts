import { describe, expect, it } from 'vitest';
import {
  mutants,
  runTrace,
  SCOPES,
  type Scope,
  scopeNamed,
  search,
  type Violation,
} from '../../src/lab/explore/index.js';

/** Depths that take about a second. */
const DEPTHS: Record<string, number> = {
  default: 3,
  binding: 4,
  twins: 4,
  ranges: 4,
  'open-files': 7,
  resizing: 4,
};

function found(scope: Scope, quirk: string) {
  const result = search(scope, { quirks: [quirk] });
  expect(result.ended).toBe('violation');
  return result.found!;
}

function violationsOf(scope: Scope, quirks: string[], trace: readonly string[]): Violation[] {
  return runTrace(scope, quirks, trace).flatMap((step) => step.violations);
}

describe('explore without a mutant', () => {
  it.each(SCOPES.map(({ name }) => name))('finds nothing wrong in scope %s', (name) => {
    const maxDepth = DEPTHS[name];
    const result = search(scopeNamed(name), maxDepth === undefined ? {} : { maxDepth });
    expect(result.found).toBeNull();
    expect(result.depth).toBeGreaterThanOrEqual(maxDepth ?? 1);
  });

  it('comes to an end where there are few states, and says so', () => {
    const result = search(scopeNamed('late-map'));
    expect(result).toMatchObject({ ended: 'exhausted', exhausted: true, found: null });
    expect(result.states).toBeGreaterThan(50);
  });

  it('stops when its time is over, with the depth that is complete', () => {
    const result = search(scopeNamed('default'), { timeBudget: 50 });
    expect(result.ended).toBe('time');
    expect(result.milliseconds).toBeLessThan(2000);
  });
});

describe('mutants', () => {
  it('are the 15 bugs of kernel-dax.md 21, F6 of 22, and the 5 of kernel-dax.md 12', () => {
    const kinds = mutants().map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'upstream')).toHaveLength(16);
    expect(kinds.filter((kind) => kind === 'kernel72')).toHaveLength(5);
  });

  it.each(mutants().map((mutant) => [mutant.flag, mutant.invariant, mutant] as const))(
    '%s is caught by %s, its trace shows it again, and no event of it is idle',
    (flag, invariant, { scope }) => {
      const { trace, violations } = found(scope, flag);
      expect(violations.map((violation) => violation.invariant)).toContain(invariant);
      expect(violationsOf(scope, [flag], trace)).toEqual(violations);
      expect(violationsOf(scope, [], trace)).toEqual([]);
      for (const at of trace.keys())
        expect(
          violationsOf(
            scope,
            [flag],
            trace.filter((_, other) => other !== at),
          ),
        ).toEqual([]);
    },
  );
});

describe('calls that overtake each other', () => {
  const mounted = scopeNamed('mounted');
  const start = ['insmod fsdev_dax', 'new_id fsdev_dax dax0.0', 'mount A dax0.0', 'start_notify t dax0.0 0'];

  it('an unbind waits until the last reader has left, dead to new calls', () => {
    const steps = runTrace(
      mounted,
      [],
      [...start, 'start_unbind u dax0.0 fsdev_dax', 'continue u', 'fault A 0', 'continue t', 'continue u'],
    );
    expect(steps.slice(start.length).map(({ errno }) => errno)).toEqual([
      null,
      'EAGAIN',
      'ENXIO',
      null,
      null,
    ]);
    expect(steps.at(-1)).toMatchObject({ drivers: { 'dax0.0': null } });
    expect(steps.flatMap(({ violations }) => violations)).toEqual([]);
  });

  it('an unbind in one piece is refused while a reader is inside', () => {
    const [last] = runTrace(mounted, [], [...start, 'unbind fsdev_dax dax0.0']).slice(-1);
    expect(last).toMatchObject({ errno: 'EDEADLK', drivers: { 'dax0.0': 'fsdev_dax' }, violations: [] });
  });
});
