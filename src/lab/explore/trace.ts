/** A list of events that run one by one: the form in which a violation is reported and reproduced. */

import { fail } from '../../libc/index.js';
import type { Violation } from '../../mm/index.js';
import { applyEvent } from './operation.js';
import { Events } from './operations/index.js';
import { checkWorld } from './oracle.js';
import { identity, type Scope } from './scope.js';
import { StateKeys } from './state-key.js';
import { World } from './world.js';

export interface TraceStep {
  readonly event: string;
  /** The errno of the event; null when it succeeded. */
  readonly errno: string | null;
  /** Violations that were not seen before this event. */
  readonly violations: readonly Violation[];
  /** Device -> driver, after the event. */
  readonly drivers: Readonly<Record<string, string | null>>;
}

/** Splits `insmod fsdev_dax; new_id fsdev_dax dax0.0` into events. @throws DaxError EINVAL there are none */
export function parseTrace(text: string): string[] {
  const events = text
    .split(/[;\n]/)
    .map((event) => event.trim().replace(/\s+/g, ' '))
    .filter((event) => event !== '');
  if (events.length === 0)
    fail('EINVAL', 'the trace has no events: write them as "insmod fsdev_dax; unbind ..."');
  return events;
}

/**
 * Runs events in a scope, after the scope's setup, and checks every invariant after each event.
 * @throws DaxError EINVAL an unknown event; other failures are answers
 */
export function runTrace(scope: Scope, quirks: readonly string[], events: readonly string[]): TraceStep[] {
  const all = new Events();
  const parsed = [...scope.setup, ...events].map((text) => all.parse(text));
  const world = new World(scope, quirks);
  const keys = new StateKeys();
  const ids = identity(scope.regions.length);
  const seen = new Set<string>();
  return parsed.map((event) => {
    const before = keys.keyOf(world, ids).control;
    const errno = applyEvent(world, event);
    const wrong = world.takeViolations();
    if (errno !== null && keys.keyOf(world, ids).control !== before)
      wrong.push(failedButChanged(event.text, errno));
    wrong.push(...checkWorld(world));
    return { event: event.text, errno, violations: unseen(wrong, seen), drivers: driversOf(world) };
  });
}

/** I12: an event that fails must leave everything as it was. */
export function failedButChanged(event: string, errno: string): Violation {
  return { invariant: 'I12', text: `${event} failed (${errno}) and did not leave everything as it was` };
}

/** Returns the violations that are not in `seen`, and adds them to it: some invariants stay broken. */
export function unseen(violations: readonly Violation[], seen: Set<string>): Violation[] {
  return violations.filter(({ text }) => !seen.has(text) && seen.add(text));
}

function driversOf(world: World): Record<string, string | null> {
  return Object.fromEntries(world.bus.devices().map(({ name, driver }) => [name, driver]));
}
