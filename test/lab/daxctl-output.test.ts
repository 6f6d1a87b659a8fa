import { describe, expect, it } from 'vitest';
import { OPERATIONS } from '../../src/lab/replay/operations/index.js';
import { Arguments, readTranscript, type Scenario } from '../../src/lab/replay/transcript.js';
import { answer, World } from '../../src/lab/replay/world.js';
import { conformance } from '../support/conformance.js';

const scenarios = readTranscript(`${conformance}/dax/daxctl.json.gz`).filter((scenario) =>
  scenario.steps.some(({ op }) => op === 'exec'),
);

/** The output of every command of a scenario: that of udax, and the recorded one. */
function outputs(scenario: Scenario): { ours: string[]; recorded: string[] } {
  const world = new World(scenario);
  const ours: string[] = [];
  const recorded: string[] = [];
  try {
    for (const step of scenario.steps) {
      const operation = OPERATIONS[step.op];
      if (operation === undefined) continue;
      const got = answer(() => operation(world, new Arguments(step)));
      if (step.op !== 'exec') continue;
      ours.push(got.stdout ?? '');
      recorded.push(step.result.stdout ?? '');
    }
  } finally {
    world.close();
  }
  return { ours, recorded };
}

describe('what daxctl prints', () => {
  it.each(scenarios.map((scenario) => [scenario.name, scenario] as const))(
    'is ours to the byte in %s',
    (_name, scenario) => {
      const { ours, recorded } = outputs(scenario);
      expect(ours).toEqual(recorded);
    },
  );
});
