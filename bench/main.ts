/**
 * npm run bench                     every row, as a table of ratios
 * npm run bench -- P1 P4            only these rows
 * npm run bench -- --json [P1 ...]  [{id, name, value, unit, reference, goal, ok, backing}]
 */
import type { Row } from './harness.js';

const rows: Record<string, () => Promise<Row[]>> = {
  P1: async () => (await import('./rows/scan.js')).scan(),
  P2: async () => (await import('./rows/first-byte.js')).firstByte(),
  P3: async () => (await import('./rows/copy-in.js')).copyIn(),
  P4: async () => (await import('./rows/append.js')).append(),
  K4: async () => (await import('./rows/annex.js')).annex(),
  K3: async () => (await import('./rows/rewrite.js')).rewrite(),
  P5: async () => (await import('./rows/mount.js')).mount(),
  B1: async () => (await import('./rows/folios.js')).folios(),
  C1: async () => (await import('./rows/famfs-at-scale.js')).famfsAtScale(),
  P8: async () => (await import('./rows/eight-processes.js')).eightProcesses(),
  Q: async () => (await import('./rows/between-processes.js')).betweenProcesses(),
  ZR: async () => (await import('./rows/run.js')).run(),
  D: async () => (await import('./rows/fuse.js')).fuse(),
};

const words = process.argv.slice(2);
const asJson = words.includes('--json');
const wanted = words.filter((word) => !word.startsWith('--'));
const unknown = wanted.filter((id) => !(id in rows));
if (unknown.length > 0) {
  process.stderr.write(`bench: no row ${unknown.join(', ')}: choose from ${Object.keys(rows).join(' ')}\n`);
  process.exit(2);
}

const results: Row[] = [];
for (const [id, measure] of Object.entries(rows)) {
  if (wanted.length > 0 && !wanted.includes(id)) continue;
  if (!asJson) process.stderr.write(`measuring ${id} ...\n`);
  results.push(...(await measure()));
}
if (asJson) process.stdout.write(`${JSON.stringify(results, null, 1)}\n`);
else printTable(results);

function printTable(list: Row[]): void {
  const cells = list.map((row) => [
    row.id,
    row.name,
    `${row.value} ${row.unit}`,
    row.goal,
    row.ok ? 'ok' : 'MISSED',
    row.reference,
    row.backing,
  ]);
  const table = [['id', 'what', 'value', 'goal', '', 'against', 'backing'], ...cells];
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
