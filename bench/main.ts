/** `npm run bench`: udax and its peers in one run, as ratios. `npm run bench -- --help` tells the rest. */
import { Command } from 'commander';
import { compareWith } from './compare.js';
import type { Row } from './harness.js';
import { saveHistory } from './history.js';
import { savePage } from './page.js';

const rows: Record<string, () => Promise<Row[]>> = {
  P1: async () => (await import('./rows/scan.js')).scan(),
  P1R: async () => (await import('./rows/random.js')).randomReads(),
  P2: async () => (await import('./rows/first-byte.js')).firstByte(),
  P2M: async () => (await import('./rows/maps.js')).maps(),
  P3: async () => (await import('./rows/copy-in.js')).copyIn(),
  P4: async () => (await import('./rows/append.js')).append(),
  P4M: async () => (await import('./rows/creators.js')).creators(),
  K4: async () => (await import('./rows/annex.js')).annex(),
  K3: async () => (await import('./rows/rewrite.js')).rewrite(),
  P5: async () => (await import('./rows/mount.js')).mount(),
  P5S: async () => (await import('./rows/start.js')).start(),
  B1: async () => (await import('./rows/folios.js')).folios(),
  C1: async () => (await import('./rows/famfs-at-scale.js')).famfsAtScale(),
  C3: async () => (await import('./rows/tree-in.js')).treeIn(),
  S: async () => (await import('./rows/scale.js')).scale(),
  SP: async () => (await import('./rows/attached.js')).attached(),
  SH: async () => (await import('./rows/hosts.js')).hosts(),
  P8: async () => (await import('./rows/eight-processes.js')).eightProcesses(),
  Q: async () => (await import('./rows/between-processes.js')).betweenProcesses(),
  R: async () => (await import('./rows/arena.js')).arena(),
  ZR: async () => (await import('./rows/run.js')).run(),
  D: async () => (await import('./rows/fuse.js')).fuse(),
};
/** A row whose rounds spread further is measured again, and then said to be noisy: neither met nor missed. */
const MOST_SPREAD = 0.2;
const TRIES = 3;

const program = new Command('npm run bench --')
  .description(
    'Measures udax and its peers in one run, and prints ratios. Alone on the machine it takes a quarter of an hour.',
  )
  .argument('[rows...]', `only these: ${Object.keys(rows).join(' ')}`)
  .option('--json', 'as JSON: [{id, name, value, unit, reference, goal, ok, backing, spread, p90}]')
  .option('--save', 'add a line to bench/history.jsonl')
  .option('--page', 'write the table of docs/performance.md')
  .option('--compare <revision>', 'measure that revision too, in turns with this one')
  .parse();
const options = program.opts<{ json?: true; save?: true; page?: true; compare?: string }>();
const unknown = program.args.filter((id) => !(id in rows));
if (unknown.length > 0)
  program.error(`no row ${unknown.join(', ')}: rows are ${Object.keys(rows).join(' ')}`, { exitCode: 2 });
const chosen = program.args.length > 0 ? program.args : Object.keys(rows);
if (options.compare !== undefined) await compareWith(options.compare, chosen);
else await measureAll();

async function measureAll(): Promise<void> {
  const results: Row[] = [];
  for (const id of chosen) results.push(...(await measure(id)));
  if (options.json) process.stdout.write(`${JSON.stringify(results, null, 1)}\n`);
  else printTable(results);
  if (options.save) saveHistory(results);
  if (options.page) savePage(results, verdict);
}

/** The quietest of a few tries, of each row. */
async function measure(id: string): Promise<Row[]> {
  const quietest = new Map<string, Row>();
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    if (!options.json)
      process.stderr.write(`measuring ${id}${attempt > 1 ? ', which was noisy, again' : ''} ...\n`);
    for (const row of await rows[id]!()) {
      const before = quietest.get(row.name);
      if (before === undefined || (row.spread ?? 0) < (before.spread ?? 0)) quietest.set(row.name, row);
    }
    if ([...quietest.values()].every(({ spread = 0 }) => spread <= MOST_SPREAD)) break;
  }
  return [...quietest.values()].map((row) => ({
    ...row,
    ...(row.spread !== undefined && { spread: Number(row.spread.toFixed(3)) }),
  }));
}

function verdict({ ok, spread = 0 }: Row): string {
  if (ok) return 'ok';
  return spread > MOST_SPREAD ? 'noisy' : 'MISSED';
}

function printTable(list: Row[]): void {
  const cells = list.map((row) => [
    row.id,
    row.name,
    `${row.value} ${row.unit}`,
    row.p90 === undefined ? '' : String(row.p90),
    row.goal,
    verdict(row),
    row.spread ? `+-${Math.round(row.spread * 50)} %` : '',
    row.reference,
    row.backing,
  ]);
  const table = [['id', 'what', 'value', 'p90', 'goal', '', 'spread', 'against', 'backing'], ...cells];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((line) => line[column]!.length)));
  for (const line of table) {
    console.log(
      line
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    );
  }
}
