/**
 * `npm run reliability`: renders proof/results/*.json into docs/reliability.md, between its markers. See README.md for the format
 * of a result.
 */
import fs from 'node:fs';
import path from 'node:path';

interface Head {
  tool: string;
  title: string;
  about: string;
  command: string;
  /** Keys of the rows in order, with the heading of each column. */
  columns: Record<string, string>;
}

type Row = Record<string, unknown>;

const START = '<!-- generated: npm run reliability -->';
const END = '<!-- end of what is generated -->';

/** The page's section for a result file. */
export function sectionOf(text: string): string {
  const [head, ...rows] = documentOf(text) ?? linesOf(text);
  if (head?.columns === undefined) throw new Error('the first line of a result names its columns');
  const keys = Object.keys(head.columns);
  const cells = (row: Row) => `| ${keys.map((key) => cellOf(key, row[key])).join(' | ')} |`;
  const total = keys.map((key) => sumOf(rows.map((row) => row[key])));
  return [
    `## ${head.title}`,
    '',
    head.about,
    `Made by \`${head.command}\`.`,
    '',
    `| ${Object.values(head.columns).join(' | ')} |`,
    `|${keys.map((key) => (typeof rows[0]?.[key] === 'number' ? ' ---: |' : ' --- |')).join('')}`,
    ...rows.map(cells),
    ...(rows.length > 1 ? [`| **all** | ${total.slice(1).join(' | ')} |`] : []),
    '',
  ].join('\n');
}

interface Result extends Omit<Head, 'columns'> {
  rows: { what: string; figures: Record<string, unknown> }[];
}

/** Titles of the tools' sections, and what their rows mean. */
const SECTIONS: Readonly<Record<string, readonly [title: string, about: string]>> = {
  faults: [
    'Step faults',
    'Each system call of an operation fails in turn: what was tried, and what was left, lost or told wrongly.',
  ],
  fuzz: [
    'Hostile media and input',
    'Damaged images, queues, documents, requests and command lines: how many, and how many crashed, hung, wrote or kept memory.',
  ],
  interleave: [
    'Interleavings',
    'Two real processes stopped at every step that the other can see: schedules tried, and what was found.',
  ],
  kill: [
    'Kills and stops',
    'Processes killed or stopped at every step and at random: what they were told is committed must be there.',
  ],
  mutation: [
    'Mutants of the code',
    'Small changes of the source (Stryker), each met by all quick tests that reach it: how many the tests noticed.',
  ],
  soak: [
    'Soak',
    'Everything at once; then memory, descriptors, mappings, locks and space of the host are back where they were.',
  ],
};

/** Reads a result that is one JSON document as head and rows; null when it is no such document. */
function documentOf(text: string): (Head & Row)[] | null {
  let result: Result;
  try {
    result = JSON.parse(text) as Result;
  } catch {
    return null;
  }
  if (!Array.isArray(result.rows)) return null;
  const { rows, tool, command } = result;
  const [defaultTitle, defaultAbout] = SECTIONS[tool] ?? [tool, ''];
  const { title = defaultTitle, about = defaultAbout } = result;
  const figures = [...new Set(rows.flatMap((row) => Object.keys(row.figures)))];
  const columns = { what: 'what', ...Object.fromEntries(figures.map((name) => [name, name])) };
  const head = { tool, title, about, command, columns };
  return [head, ...rows.map(({ what, figures: values }) => ({ what, ...values }))] as (Head & Row)[];
}

/** Reads JSON lines. npm prints its own lines before a command's. */
function linesOf(text: string): (Head & Row)[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Head & Row);
}

function cellOf(key: string, value: unknown): string {
  const text = String(value ?? '-').replaceAll('|', '\\|');
  return key === 'command' ? `\`${text}\`` : text;
}

/** Adds up numbers, and texts like `2 of 3`. */
function sumOf(values: readonly unknown[]): string {
  if (values.every((value) => typeof value === 'number')) {
    return String((values as number[]).reduce((sum, value) => sum + value, 0));
  }
  const parts = values.map((value) => /^(\d+) of (\d+)$/.exec(String(value)));
  if (!parts.some((part) => part !== null)) return '';
  const sum = (index: number) => parts.reduce((total, part) => total + Number(part?.[index] ?? 0), 0);
  return `${sum(1)} of ${sum(2)}`;
}

/** The page with its generated part replaced. */
export function rendered(page: string, results: readonly string[]): string {
  const [before, after] = [page.indexOf(START), page.indexOf(END)];
  if (before < 0 || after < before) throw new Error(`the page has no '${START}' and '${END}'`);
  return `${page.slice(0, before + START.length)}\n\n${results.map(sectionOf).join('\n')}\n${page.slice(after)}`;
}

const checkout = path.resolve(
  import.meta.dirname,
  import.meta.dirname.includes(`${path.sep}build${path.sep}`) ? '../../..' : '..',
);

export function resultsIn(folder = path.join(checkout, 'proof/results')): string[] {
  return fs
    .readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => fs.readFileSync(path.join(folder, name), 'utf8'));
}

if (process.argv[1] !== undefined && path.basename(process.argv[1]) === 'report.js') {
  const page = path.join(checkout, 'docs/reliability.md');
  fs.writeFileSync(page, rendered(fs.readFileSync(page, 'utf8'), resultsIn()));
}
