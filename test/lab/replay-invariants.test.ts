import { describe, expect, it } from 'vitest';
import { checkInvariants } from '../../src/dax/index.js';
import { OPERATIONS } from '../../src/lab/replay/operations/index.js';
import { Arguments, readTranscript, type Scenario } from '../../src/lab/replay/transcript.js';
import { answer, World } from '../../src/lab/replay/world.js';
import { nameOf, transcripts } from '../support/conformance.js';

/** Violations that the quirks of the recorded kernel cause. There must be no others. */
const QUIRKS_BREAK = [/has a page map without a driver/, /mmap through a node whose driver is gone/];

function violations(scenario: Scenario): string[] {
  const world = new World(scenario);
  const found: string[] = [];
  try {
    scenario.steps.forEach((step, index) => {
      const operation = OPERATIONS[step.op];
      if (operation === undefined) return;
      answer(() => operation(world, new Arguments(step)));
      for (const { invariant, text } of checkInvariants(world.bus)) {
        const violation = `${invariant}: ${text}`;
        if (QUIRKS_BREAK.some((known) => known.test(violation))) continue;
        found.push(`${scenario.name}, after step ${index}: ${violation}`);
      }
    });
  } finally {
    world.close();
  }
  return found;
}

const files = [...transcripts('dax'), ...transcripts('dax/hazard')].map(
  (file) => [nameOf(file), file] as const,
);

describe('the invariants of the bus', () => {
  it.each(files)('hold after every step of %s', (_name, file) => {
    expect(readTranscript(file).flatMap(violations)).toEqual([]);
  });
});
