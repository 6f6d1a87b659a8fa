/** `npm run crash`: see the help below, and ../README.md for the meaning of a crash here. */

import { isGood, longRun, operations, type Row, type RunOptions, shortRun, type Under } from './run.js';
import type { FailureModel } from './scope.js';
import { jsonOf, remarks, resultHead, tableHead, tableRow } from './text.js';

const help = `usage: npm run crash [-- OPTIONS] [OPERATION ...]

Runs each operation once on real memory (or real files) that records every store, flush, fence and sync; then plays every crash between
them: every memory that may be left is loaded, mounted, checked and written to. What is there must be what was there before the operation,
or after it. Then the same with wrong orders of each operation (mutants), which must be found out. Exit status 1: something was lost, or a
mutant got through.

  append mkdir ...     these operations only            --list       what operations and mutants there are
  --under KIND         shared: one host's memory, kills only;  pmem: one host's, and power cuts;
                       hosts: of hosts that do not see each other's caches;  files: a state directory
  --model MODEL        kill or power alone               --seed N     other samples (default 1)
  --short              a minute's worth of it: what npm test runs
  --state NAME         one memory alone, as a finding names it
  --mutant NAME        a wrong order instead of the right one, with what it loses
  --json               JSON lines: results for npm run reliability

Read a finding from its last line up: how to see it again, what mount or fsck said, which lines or names had not reached memory, and
between which two acts (with the line of our source that did them) the crash came.
`;

interface Words {
  names: string[];
  json: boolean;
  list: boolean;
  isShort: boolean;
  options: RunOptions;
}

class Usage extends Error {}

function parse(words: readonly string[]): Words {
  const result: Words = {
    names: [],
    json: false,
    list: false,
    isShort: false,
    options: { seed: 1, ...longRun },
  };
  const rest = [...words];
  const value = (option: string): string => rest.shift() ?? usage(`${option} needs a value`);
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const { options } = result;
    if (word === '--json') result.json = true;
    else if (word === '--list') result.list = true;
    else if (word === '--short') {
      result.isShort = true;
      Object.assign(options, shortRun);
    } else if (word === '--seed') options.seed = Number(value(word));
    else if (word === '--under')
      options.under = oneOf(word, value(word), ['shared', 'pmem', 'hosts', 'files']) as Under;
    else if (word === '--model') options.model = oneOf(word, value(word), ['kill', 'power']) as FailureModel;
    else if (word === '--state') options.state = value(word);
    else if (word === '--mutant') options.mutant = value(word);
    else if (word.startsWith('-')) usage(`there is no option ${word}`);
    else
      result.names.push(
        oneOf(
          'an operation',
          word,
          operations.map(({ name }) => name),
        ),
      );
  }
  if (!Number.isSafeInteger(result.options.seed)) usage('--seed is a whole number');
  return result;
}

function oneOf(what: string, word: string, known: readonly string[]): string {
  return known.includes(word) ? word : usage(`${what} is one of ${known.join(', ')}, not ${word}`);
}

function usage(message: string): never {
  throw new Usage(message);
}

function list(): void {
  for (const { name, about, under, mutants } of operations) {
    console.log(`${name} (${under.join(', ')}): ${about}`);
    for (const mutant of mutants)
      console.log(`    --mutant ${mutant.name} --under ${mutant.under}: ${mutant.about}`);
  }
}

/** Runs each requested pair of operation and kind of memory. */
async function* rows({ names, options }: Words): AsyncGenerator<Row> {
  for (const operation of operations) {
    if (names.length > 0 && !names.includes(operation.name)) continue;
    for (const under of operation.under) {
      if (options.under !== undefined && options.under !== under) continue;
      const isThere = operation.mutants.some(
        (mutant) => mutant.name === options.mutant && mutant.under === under,
      );
      if (options.mutant !== undefined && !isThere) continue;
      yield await operation.run(under, options);
    }
  }
}

async function main(words: readonly string[]): Promise<number> {
  if (words.includes('--help') || words.includes('-h')) {
    process.stdout.write(help);
    return 0;
  }
  const wanted = parse(words);
  if (wanted.list) {
    list();
    return 0;
  }
  const done: Row[] = [];
  console.log(wanted.json ? JSON.stringify(resultHead) : tableHead);
  for await (const row of rows(wanted)) {
    done.push(row);
    console.log(wanted.json ? jsonOf(row, wanted.isShort ? 'short' : 'long') : tableRow(row));
    for (const remark of remarks(row, wanted.options.mutant))
      (wanted.json ? console.error : console.log)(remark);
  }
  if (done.length === 0) usage('nothing was asked for that there is: see --list');
  const lost = done.reduce((sum, row) => sum + row.lost, 0);
  const states = done.reduce((sum, row) => sum + row.states, 0);
  const mutants = done.flatMap((row) => row.mutants);
  const caught = mutants.filter((mutant) => mutant.caught).length;
  const total = `${states} states explored, ${lost} lost; ${caught} of ${mutants.length} mutants caught`;
  (wanted.json ? console.error : console.log)(total);
  return done.every(isGood) ? 0 : 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof Usage)) throw error;
  process.stderr.write(`crash: ${error.message}\n`);
  process.exitCode = 2;
}
