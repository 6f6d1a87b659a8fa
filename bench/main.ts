/**
 * npm run bench                     every row, as a table of ratios
 * npm run bench -- P1 P4            only these rows
 * npm run bench -- --json [P1 ...]  [{id, name, value, unit, reference, goal, ok, backing, spread}]
 * npm run bench -- --save           and adds a line to bench/history.jsonl
 * npm run bench -- --page           and writes the table of docs/performance.md
 * npm run bench -- --compare REV    that revision too, in turns with this one
 */
import { compareWith } from './compare.js';
import { type Row, takeSpread } from './harness.js';
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

const words = process.argv.slice(2);
const asJson = words.includes('--json');
const compareAt = words.indexOf('--compare');
const revision = compareAt < 0 ? undefined : words.splice(compareAt, 2)[1];
const wanted = words.filter((word) => !word.startsWith('--'));
const unknown = wanted.filter((id) => !(id in rows));
if (unknown.length > 0 || (compareAt >= 0 && revision === undefined)) {
  const what = unknown.length > 0 ? `no row ${unknown.join(', ')}` : '--compare needs a revision';
  process.stderr.write(`bench: ${what}: rows are ${Object.keys(rows).join(' ')}\n`);
  process.exit(2);
}
const chosen = wanted.length > 0 ? wanted : Object.keys(rows);
if (revision !== undefined) await compareWith(revision, chosen);
else await measureAll();

async function measureAll(): Promise<void> {
  const results: Row[] = [];
  for (const id of chosen) results.push(...(await measure(id)));
  if (asJson) process.stdout.write(`${JSON.stringify(results, null, 1)}\n`);
  else printTable(results);
  if (words.includes('--save')) saveHistory(results);
  if (words.includes('--page')) savePage(results, verdict);
}

/** The quietest of a few tries. */
async function measure(id: string): Promise<Row[]> {
  let best: Row[] = [];
  let least = Number.POSITIVE_INFINITY;
  for (let attempt = 1; attempt <= TRIES && least > MOST_SPREAD; attempt++) {
    if (!asJson)
      process.stderr.write(`measuring ${id}${attempt > 1 ? ', which was noisy, again' : ''} ...\n`);
    takeSpread();
    const found = await rows[id]!();
    const spread = takeSpread() ?? 0;
    if (spread >= least) continue;
    least = spread;
    best = found.map((row) => ({ ...row, spread: Number(spread.toFixed(3)) }));
  }
  return best;
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
    row.goal,
    verdict(row),
    row.spread ? `+-${Math.round(row.spread * 50)} %` : '',
    row.reference,
    row.backing,
  ]);
  const table = [['id', 'what', 'value', 'goal', '', 'spread', 'against', 'backing'], ...cells];
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
