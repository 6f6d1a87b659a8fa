/**
 * `npm run mutation:save`: puts what `npm run mutation` found (build/mutation.json) into proof/results/mutation.json, a row for each file,
 * in place of earlier rows of the same files. So files can be run one by one: a mutant costs seconds.
 */
import fs from 'node:fs';
import path from 'node:path';
import { checkoutDirectory, finish, type Row } from './steps/tool.js';

type Status =
  | 'Killed'
  | 'Timeout'
  | 'Survived'
  | 'NoCoverage'
  | 'CompileError'
  | 'RuntimeError'
  | 'Ignored'
  | 'Pending';

interface Report {
  files: Record<string, { mutants: { status: Status }[] }>;
}

/** Shares of all mutants that tests could notice, as Stryker counts: those in code that runs at load only are left out. */
function rowOf(what: string, mutants: readonly { status: Status }[]): Row {
  const count = (...of: Status[]) => mutants.filter(({ status }) => of.includes(status)).length;
  const killed = count('Killed', 'Timeout');
  const survived = count('Survived', 'NoCoverage');
  const tried = killed + survived;
  return {
    what,
    figures: {
      mutants: tried,
      killed,
      'of them by time': count('Timeout'),
      survived,
      score: `${tried === 0 ? 100 : Math.round((1000 * killed) / tried) / 10} %`,
    },
  };
}

const file = path.join(checkoutDirectory(), 'build/mutation.json');
const { files } = JSON.parse(fs.readFileSync(file, 'utf8')) as Report;
const rows = Object.entries(files).map(([name, { mutants }]) => rowOf(name, mutants));
finish('mutation', { rows, findings: [], json: false, save: true });
