// A process that lets the steps of one operation fail, one after another. It writes one line of JSON for each fault to stdout. It
// may crash or hang; its parent notices.
// Arguments: { operation, from, choice?, only?, short, double }
import fs from 'node:fs';
import { injector } from './injector.js';
import { controls, operations } from './operations.js';
import { expectedOf, type Outcome, tryFault } from './trying.js';

export interface Asked {
  operation: string;
  /** The first step, and the index of its errno. */
  from: number;
  choice: number;
  /** Try only this fault. */
  isOnly: boolean;
  isShort: boolean;
  isDouble: boolean;
  seed: number;
}

const asked = JSON.parse(process.argv[2]!) as Asked;
const operation = [...operations, ...controls].find(({ name }) => name === asked.operation)!;
const say = (line: unknown) => fs.writeSync(1, `${JSON.stringify(line)}\n`);

// The first run opens descriptors once per process and loads modules. Neither belongs to the operation.
await expectedOf(operation);
const expected = await expectedOf(operation);
injector.disarm();

const simple = ({ hits, choices, findings, error }: Outcome) => ({
  hits,
  choices,
  findings,
  ...(error === undefined ? {} : { error: (error as Error).stack ?? String(error) }),
});

let { choice } = asked;
for (let step = asked.from; ; step++) {
  for (let choices = 1; choice < choices; choice++) {
    // The short form tries one errno for each step, and the seed varies which.
    const which = asked.isShort ? step + asked.seed : choice;
    say({ trying: [step, choice] });
    const outcome = await tryFault(operation, expected, { step, choice: which, isDouble: asked.isDouble });
    say({ step, choice, ...simple(outcome) });
    if (asked.isOnly) process.exit(0);
    if (outcome.hits.length === 0) process.exit(0);
    choices = asked.isShort ? 1 : outcome.choices;
  }
  choice = 0;
}
