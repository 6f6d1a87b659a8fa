/** Shared by all tools here: arguments, a seeded source of numbers, result files. */
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/**
 * A row of a result. All rows of a tool have the same figures, as far as they apply. A figure is a number
 * or a text like `2 of 3`.
 */
export interface Row {
  what: string;
  figures: Record<string, number | string>;
  /** More about the row, for a reader who sees no other row. */
  detail?: string;
}

const shared = {
  help: { type: 'boolean' },
  json: { type: 'boolean' },
  save: { type: 'boolean' },
  seed: { type: 'string' },
} as const;

type Given<T extends Record<string, { type: 'string' | 'boolean' }>> = {
  [K in keyof T]?: T[K]['type'] extends 'boolean' ? boolean : string;
};

/**
 * Reads --help, --seed, --json, --save and the tool's own options. Prints the help and exits when asked to, or when an option is
 * wrong.
 */
export function toolArguments<T extends Record<string, { type: 'string' | 'boolean' }>>(
  help: string,
  own: T,
): Given<T & typeof shared> {
  try {
    const { values } = parseArgs({ options: { ...shared, ...own }, strict: true });
    if (!('help' in values)) return values as Given<T & typeof shared>;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${help}\n`);
    process.exit(2);
  }
  process.stdout.write(`${help}\n`);
  process.exit(0);
}

/** Numbers from 0 to below 1, the same for the same seed (a 32-bit counter, mixed). */
export function randomFrom(seed: number): () => number {
  let counter = seed >>> 0;
  return () => {
    counter = (counter + 0x9e3779b9) >>> 0;
    let mixed = counter;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** Prints a line of progress on stderr, except with --json. */
export function progress(line: string): void {
  if (!process.argv.includes('--json')) process.stderr.write(`${line}\n`);
}

/**
 * Prints rows and findings in the requested form. Sets exit code 1 when there is a finding. `save`: see saveRows().
 */
export function finish(
  tool: string,
  { rows, findings, json, save }: { rows: Row[]; findings: string[]; json: boolean; save: boolean },
): void {
  const command = `npm run ${tool}`;
  if (json) process.stdout.write(`${JSON.stringify({ tool, command, rows, findings })}\n`);
  else {
    for (const { what, figures, detail } of rows) {
      const text = Object.entries(figures).map(([name, value]) => `${name} ${value}`);
      process.stdout.write(`${what}: ${text.join(', ')}${detail === undefined ? '' : ` (${detail})`}\n`);
    }
    for (const finding of findings) process.stdout.write(`FINDING ${finding}\n`);
    process.stdout.write(`${findings.length} findings\n`);
  }
  if (save) saveRows({ tool, command }, rows);
  process.exitCode = findings.length > 0 ? 1 : 0;
}

/** Puts rows into the tool's result file, in place of those of the same name: a part can be run alone. */
export function saveRows(head: { tool: string; command: string }, rows: readonly Row[]): void {
  const file = path.join(checkoutDirectory(), 'proof', 'results', `${head.tool}.json`);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, `${JSON.stringify({ ...head, rows: merged(savedRows(file), rows) }, null, 2)}\n`);
}

function savedRows(file: string): Row[] {
  return fs.existsSync(file) ? (JSON.parse(fs.readFileSync(file, 'utf8')) as { rows: Row[] }).rows : [];
}

/** Saved rows, each replaced by a new one of its name; then those that are new. */
function merged(saved: readonly Row[], rows: readonly Row[]): Row[] {
  const byName = new Map(rows.map((row) => [row.what, row]));
  const kept = saved.map((row) => {
    const made = byName.get(row.what);
    byName.delete(row.what);
    return made ?? row;
  });
  return [...kept, ...byName.values()];
}

/** The checkout, which has the sources of these tools: they run from build/proof-run, which may have a package.json of its own. */
export function checkoutDirectory(): string {
  let directory = path.dirname(fileURLToPath(import.meta.url));
  while (!fs.existsSync(path.join(directory, 'proof', 'README.md'))) directory = path.dirname(directory);
  return directory;
}
