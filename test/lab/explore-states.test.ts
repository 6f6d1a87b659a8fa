import { describe, expect, it } from 'vitest';
import { type Scope, scopeNamed, search } from '../../src/lab/explore/index.js';
import { applyEvent, type ExploreEvent } from '../../src/lab/explore/operation.js';
import { Events, operationsOf } from '../../src/lab/explore/operations/index.js';
import { checkWorld } from '../../src/lab/explore/oracle.js';
import { identity, permutationsOf } from '../../src/lab/explore/scope.js';
import { StateKeys } from '../../src/lab/explore/state-key.js';
import { World } from '../../src/lab/explore/world.js';

/** Every path of a scope up to a length, without merging equal states: the search without its shortcut. */
class Paths {
  readonly events: Events;
  readonly keys = new StateKeys();

  constructor(readonly scope: Scope) {
    this.events = new Events(operationsOf(scope.groups));
  }

  world(path: readonly ExploreEvent[]): World {
    const world = new World(this.scope, []);
    for (const event of path) applyEvent(world, event);
    return world;
  }

  key(world: World): string {
    return this.keys.keyOf(world, identity(this.scope.regions.length)).whole;
  }

  *all(length: number, path: readonly ExploreEvent[] = []): Generator<readonly ExploreEvent[]> {
    yield path;
    if (path.length === length) return;
    for (const event of this.events.offered(this.world(path))) yield* this.all(length, [...path, event]);
  }

  /** The answer, the next state and the check results of each event that is possible here. */
  future(path: readonly ExploreEvent[]): string {
    const outcomes = this.events.offered(this.world(path)).map((event) => {
      const world = this.world(path);
      const errno = applyEvent(world, event);
      const wrong = [...world.takeViolations(), ...checkWorld(world)];
      // The choice of a free name, or of one of two files to close, makes no difference.
      return `${event.operation.name} ${errno} ${this.key(world)} ${wrong.length}`;
    });
    return outcomes.sort().join('\n');
  }
}

describe('states', () => {
  it.each([
    ['late-map', 4],
    ['mounted', 4],
    ['open-files', 4],
    ['resizing', 3],
    ['default', 2],
  ] as const)('of %s that have one key behave alike, by whatever way they were reached', (name, length) => {
    const paths = new Paths({ ...scopeNamed(name), setup: [] });
    const futures = new Map<string, string>();
    for (const path of paths.all(length)) {
      const key = paths.key(paths.world(path));
      const future = paths.future(path);
      expect(futures.get(key) ?? future).toBe(future);
      futures.set(key, future);
    }
    expect(futures.size).toBeGreaterThan(20);
  });

  it('are as many as all paths lead to', () => {
    const scope = scopeNamed('open-files');
    const paths = new Paths(scope);
    const keys = new Set([...paths.all(4)].map((path) => paths.key(paths.world(path))));
    expect(search(scope, { maxDepth: 4 }).states).toBe(keys.size);
  });

  it('of regions that are alike count once, and nothing is missed by it', () => {
    const twins = scopeNamed('twins');
    const apart = { ...twins, twins: false };
    const folded = search(twins, { maxDepth: 3 });
    const whole = search(apart, { maxDepth: 3 });
    expect(folded.states).toBeLessThan(whole.states);
    expect(permutationsOf(twins)).toHaveLength(2);
    expect(permutationsOf(apart)).toHaveLength(1);
    const quirks = ['no-clear-on-unbind'];
    expect(search(twins, { quirks }).found?.trace).toHaveLength(
      search(apart, { quirks }).found!.trace.length,
    );
  });
});
