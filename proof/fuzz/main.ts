/** npm run fuzz: see README.md of this folder. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { saveRows } from '../steps/tool.js';
import type { Asked } from './child.js';
import type { Recipe } from './corpus.js';
import { shortCases, type Target } from './target.js';
import { controls, targets } from './targets/index.js';

const HELP = `npm run fuzz -- [--target NAME] [--cases N] [--case I] [--short] [--learn] [--again] [--controls] [--seed N] [--json] [--save]
Hostile media and input: proof/fuzz/README.md says what is made and what must hold. Exit 1: something did not.
--again forgets where an earlier long run was stopped.`;

const here = path.dirname(fileURLToPath(import.meta.url));
/** Number of images of the long run. */
const LONG_IMAGES = 1_000_000;
const HANG_MILLISECONDS = 60_000;
/** Records where a long run continues. */
const PLACE_FILE = 'build/proof/fuzz-place.json';

interface Found {
  target: string;
  index: number;
  recipe: Recipe;
  what: string;
}

interface Row {
  target: string;
  cases: number;
  seconds: number;
  blocks?: number;
  found: Found[];
}

interface Line {
  index?: number;
  recipe?: Recipe;
  found?: string;
  done?: number;
  blocks?: number;
}

interface Run {
  seed: number;
  isLearning: boolean;
  onDone: (target: string, done: number, rate: number) => void;
}

/** Runs cases [from, to) of a target. When a case ends the process, the run continues after that case. */
async function runTarget(target: Target, from: number, to: number, run: Run): Promise<Row> {
  const row: Row = { target: target.name, cases: 0, seconds: 0, found: [] };
  const started = Date.now();
  for (let next = from; next < to; ) next = await runChild(target, next, to, run, row);
  row.cases = to - from;
  row.seconds = (Date.now() - started) / 1000;
  return row;
}

async function runChild(target: Target, from: number, to: number, run: Run, row: Row): Promise<number> {
  const directory = fs.mkdtempSync(
    path.join(fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir(), 'udax-fuzz-'),
  );
  const asked: Asked = {
    target: target.name,
    from,
    to,
    seed: run.seed,
    isLearning: run.isLearning,
    directory,
  };
  const child = spawn(process.execPath, ['--expose-gc', path.join(here, 'child.js'), JSON.stringify(asked)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, UDAX_ROOT: path.join(directory, 'none') },
  });
  let errors = '';
  child.stderr.on('data', (data: Buffer) => {
    errors = (errors + String(data)).slice(-3000);
  });
  let hasHung = false;
  let watchdog = setTimeout(() => {}, 0);
  const wait = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => {
      hasHung = true;
      child.kill('SIGKILL');
    }, HANG_MILLISECONDS);
  };
  wait();
  const closed = new Promise<[number | null, string | null]>((resolve) =>
    child.on('close', (code, signal) => resolve([code, signal])),
  );
  const started = Date.now();
  for await (const text of createInterface({ input: child.stdout })) {
    // A command may print lines of its own.
    if (!text.startsWith('{')) continue;
    wait();
    const { index, recipe, found, done, blocks } = JSON.parse(text) as Line;
    if (found !== undefined)
      row.found.push({ target: target.name, index: index!, recipe: recipe!, what: found });
    if (blocks !== undefined) row.blocks = blocks;
    if (done !== undefined) run.onDone(target.name, done, (done - from) / ((Date.now() - started) / 1000));
  }
  const [code, signal] = await closed;
  clearTimeout(watchdog);
  const note = path.join(directory, 'case');
  const at =
    fs.existsSync(note) && fs.statSync(note).size >= 8 ? fs.readFileSync(note).readDoubleLE(0) : from;
  fs.rmSync(directory, { recursive: true, force: true });
  if (code === 0) return to;
  const what = hasHung
    ? `it hangs (${HANG_MILLISECONDS / 1000} s)`
    : `the process ended: ${signal ?? `exit ${code}`}`;
  row.found.push({ target: target.name, index: at, recipe: [], what: `${what}\n${errors}` });
  return at + 1;
}

/** Counts findings of the same fault once. */
function distinct(found: readonly Found[]): Found[] {
  const seen = new Map<string, Found>();
  for (const one of found) {
    const key = one.what
      .replace(/\d+/g, 'N')
      .split('\n')
      .filter((line, at) => at === 0 || line.includes('/src/'))
      .slice(0, 3)
      .join('\n')
      .replace(/^.*?: /, '');
    if (!seen.has(key)) seen.set(key, one);
  }
  return [...seen.values()];
}

function asked() {
  return parseArgs({
    options: {
      help: { type: 'boolean' },
      target: { type: 'string', multiple: true },
      cases: { type: 'string' },
      case: { type: 'string' },
      short: { type: 'boolean', default: false },
      learn: { type: 'boolean', default: false },
      again: { type: 'boolean', default: false },
      controls: { type: 'boolean', default: false },
      seed: { type: 'string', default: '0' },
      json: { type: 'boolean', default: false },
      save: { type: 'boolean', default: false },
    },
  }).values;
}

async function main(): Promise<void> {
  const values = asked();
  if (values.help) return void process.stdout.write(`${HELP}\n`);
  const chosen = (values.controls ? controls : targets).filter(
    ({ name }) => values.target?.includes(name) ?? true,
  );
  if (chosen.length === 0)
    throw new Error(`no target '${values.target}': ${targets.map(({ name }) => name).join(', ')}`);
  const isLong =
    !values.short &&
    values.cases === undefined &&
    values.case === undefined &&
    !values.controls &&
    !values.learn;
  const places: Record<string, number> =
    isLong && !values.again && fs.existsSync(PLACE_FILE)
      ? JSON.parse(fs.readFileSync(PLACE_FILE, 'utf8'))
      : {};
  const images = targets.find(({ name }) => name === 'media')!;
  const casesOf = (target: Target): number => {
    if (values.cases !== undefined) return Number(values.cases);
    if (values.controls) return 64;
    if (values.short) return shortCases(target);
    return values.learn ? 20_000 : Math.round((LONG_IMAGES * target.share) / images.share);
  };
  const rows: Row[] = [];
  for (const target of chosen) {
    const only = values.case === undefined ? null : Number(values.case);
    const [from, to] = only === null ? [places[target.name] ?? 0, casesOf(target)] : [only, only + 1];
    let toldAt = Date.now();
    const row = await runTarget(target, from, to, {
      seed: Number(values.seed),
      isLearning: values.learn,
      onDone: (name, done, rate) => {
        if (isLong) {
          places[name] = done;
          fs.mkdirSync(path.dirname(PLACE_FILE), { recursive: true });
          fs.writeFileSync(PLACE_FILE, JSON.stringify(places));
        }
        if (Date.now() - toldAt < 5000 || values.json) return;
        toldAt = Date.now();
        process.stderr.write(`${name}: ${done} of ${to}, ${Math.round(rate)} a second\n`);
      },
    });
    rows.push(row);
    if (!values.json) tell(row, values.seed);
  }
  report(rows, values);
}

function tell({ target, cases, seconds, blocks, found }: Row, seed: string): void {
  const reached = blocks === undefined ? '' : `, ${blocks} blocks of code reached`;
  process.stdout.write(
    `${target}: ${cases} cases in ${seconds.toFixed(1)} s (${Math.round(cases / seconds)} a second), ${found.length} found${reached}\n`,
  );
  for (const { index, recipe, what } of distinct(found)) {
    process.stdout.write(
      `\nFOUND in ${target}, case ${index}, recipe ${JSON.stringify(recipe)}: ${what}\n  again: npm run fuzz -- --target '${target}' --case ${index}${seed === '0' ? '' : ` --seed ${seed}`}\n`,
    );
  }
}

function report(
  rows: Row[],
  {
    json,
    save,
    short: isShort,
    controls: isControl,
  }: { json: boolean; save: boolean; short: boolean; controls: boolean },
): void {
  const result = {
    tool: 'fuzz',
    command: `npm run fuzz${isShort ? ' -- --short' : ''}`,
    rows: rows.map(({ target, cases, found }) => ({
      what: target,
      figures: { fuzzed: cases, crashed: distinct(found).length },
    })),
  };
  if (json)
    process.stdout.write(
      `${JSON.stringify({ ...result, found: rows.flatMap(({ found }) => distinct(found)) })}\n`,
    );
  if (save) saveRows({ tool: result.tool, command: result.command }, result.rows);
  const isWrong = isControl
    ? rows.some(({ found }) => found.length === 0)
    : rows.some(({ found }) => found.length > 0);
  if (isWrong) process.exitCode = 1;
}

await main();
