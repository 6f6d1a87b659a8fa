/** npm run peers: test suites of other file systems on a mount of udax (README.md). */
import { parseArgs } from 'node:util';
import { saveRows } from '../steps/tool.js';
import { type Outcome, suites } from './suites.js';

const HELP = `npm run peers -- [--suites DIR] [--json] [--save] [SUITE ...]

Runs the suites that other file systems are tested with over a FUSE mount of a fresh volume; as root.
  SUITE         ${suites.map(({ name }) => name).join(', ')}; default: those that are here
  --suites DIR  where fsx, fsstress and pjdfstest/ are
  --json        the outcomes as a document of one line
  --save        and into proof/results/peers.json, in place of the same rows, for docs/reliability.md
Exit 1 when something failed that the format does not explain.
`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      help: { type: 'boolean' },
      suites: { type: 'string' },
      json: { type: 'boolean' },
      save: { type: 'boolean' },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const unknown = positionals.filter((name) => !suites.some((suite) => suite.name === name));
  if (unknown.length > 0) {
    process.stderr.write(`peers: no suite ${unknown.join(', ')}\n${HELP}`);
    return 2;
  }
  const told = (text: string) => process.stderr.write(`${text} ...\n`);
  const outcomes: Outcome[] = [];
  for (const suite of suites) {
    if (positionals.length > 0 && !positionals.includes(suite.name)) continue;
    const missing = suite.missing(values.suites);
    if (missing !== null) {
      process.stderr.write(`skipped: ${suite.name} (${missing})\n`);
      if (positionals.length > 0) return 2;
      continue;
    }
    told(suite.name);
    outcomes.push(...(await suite.outcomes(values.suites, told)));
  }
  if (values.json) process.stdout.write(`${JSON.stringify(reportOf(outcomes))}\n`);
  else print(outcomes);
  if (values.save) save(outcomes);
  return outcomes.some(({ findings }) => findings.length > 0) ? 1 : 0;
}

function print(outcomes: readonly Outcome[]): void {
  for (const { what, run, passed, explained, findings } of outcomes) {
    process.stdout.write(`${what}: ${passed} of ${run} passed\n`);
    for (const [reason, count] of Object.entries(explained))
      process.stdout.write(`  ${count} failed: ${reason}\n`);
    for (const finding of findings) process.stdout.write(`  FOUND ${finding}\n`);
  }
}

function reportOf(outcomes: readonly Outcome[]) {
  const rows = outcomes.map(({ what, run, passed, explained, findings }) => {
    const byFormat = Object.values(explained).reduce((sum, count) => sum + count, 0);
    return { what, figures: { run, passed, 'not in the format': byFormat, failed: findings.length } };
  });
  const command = 'npm run peers -- --suites DIR';
  const about =
    'What other file systems are tested with, over a FUSE mount: what passed, what the format has no answer for, what is wrong with us.';
  const findings = outcomes.flatMap((outcome) => outcome.findings);
  return { tool: 'peers', title: "Peers' own suites", about, command, rows, findings };
}

function save(outcomes: readonly Outcome[]): void {
  const { findings: _, rows, ...head } = reportOf(outcomes);
  saveRows(head, rows);
}

process.exitCode = await main();
