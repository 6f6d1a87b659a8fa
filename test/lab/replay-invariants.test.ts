import { describe, expect, it } from 'vitest';
import { checkInvariants } from '../../src/dax/index.js';
import { OPERATIONS } from '../../src/lab/replay/operations/index.js';
import { Arguments, readTranscript, type Scenario } from '../../src/lab/replay/transcript.js';
import { answer, World } from '../../src/lab/replay/world.js';
import { fixture, sharedTranscripts } from './support.js';

/** What the quirks of the recorded kernel break, and nothing else may. */
const QUIRKS_BREAK = [/has a page map without a driver/, /mmap through a node whose driver is gone/];

function violations(scenario: Scenario): string[] {
  const world = new World(scenario);
  const found: string[] = [];
  try {
    scenario.steps.forEach((step, index) => {
      const operation = OPERATIONS[step.op];
      if (operation === undefined) return;
      answer(() => operation(world, new Arguments(step)));
      for (const violation of checkInvariants(world.bus)) {
        if (QUIRKS_BREAK.some((known) => known.test(violation))) continue;
        found.push(`${scenario.name}, after step ${index}: ${violation}`);
      }
    });
  } finally {
    world.close();
  }
  return found;
}

const files = [...sharedTranscripts(), ...sharedTranscripts('hazard')];
const absent = files.length === 0 ? ' (only the fixtures: ../shared/conformance/dax is not here)' : '';

describe(`the invariants of the bus${absent}`, () => {
  it.each([fixture('selection.json'), fixture('hazard.json'), ...files])(
    'hold after every step of %s',
    (file) => {
      expect(readTranscript(file).flatMap(violations)).toEqual([]);
    },
  );
});
