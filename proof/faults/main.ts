/** npm run faults: see README.md of this folder. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { saveRows } from '../steps/tool.js';
import type { Asked } from './child.js';
import { controls, type Operation, operations } from './operations.js';
import type { Finding } from './trying.js';

const HELP = `npm run faults -- [--operation NAME|BEGINNING*] [--step N [--choice K]] [--short] [--double] [--controls]
                  [--strace] [--seed N] [--json] [--save] [--list]
The n-th step of an operation fails, for every n: proof/faults/README.md says what must hold then. Exit 1: something did not.`;

const here = path.dirname(fileURLToPath(import.meta.url));
/** A child that writes no line for this long hangs. */
const HANG_MILLISECONDS = 60_000;

export interface Row {
  operation: string;
  steps: number;
  faults: number;
  findings: Finding[];
}

interface Line {
  trying?: [number, number];
  step?: number;
  hits?: unknown[];
  findings?: Finding[];
  error?: string;
}

/** Runs a child until it ends. @returns where to continue after a crash or a hang; null when the row is done */
async function runChild(asked: Asked, row: Row, isTold: boolean): Promise<Asked | null> {
  const preload = pathToFileURL(path.join(here, 'preload.js')).href;
  const child = spawn(
    process.execPath,
    ['--import', preload, path.join(here, 'child.js'), JSON.stringify(asked)],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, UDAX_ROOT: '/nonexistent/udax' },
    },
  );
  let errors = '';
  child.stderr.on('data', (data: Buffer) => {
    errors = (errors + String(data)).slice(-4000);
  });
  let last: [number, number] | null = null;
  let hasHung = false;
  let watchdog = setTimeout(() => {}, 0);
  const wait = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => {
      hasHung = true;
      end(child);
    }, HANG_MILLISECONDS);
  };
  wait();
  const lines = createInterface({ input: child.stdout });
  const closed = new Promise<[number | null, string | null]>((resolve) =>
    child.on('close', (code, signal) => resolve([code, signal])),
  );
  for await (const text of lines) {
    wait();
    const line = JSON.parse(text) as Line;
    if (line.trying) last = line.trying;
    if (line.findings) row.findings.push(...line.findings);
    if (line.hits && line.hits.length > 0) {
      row.faults++;
      row.steps = Math.max(row.steps, line.step!);
    }
    if (isTold && line.hits)
      process.stdout.write(`${JSON.stringify(line, null, 2).replaceAll('\\n', '\n    ')}\n`);
  }
  const [code, signal] = await closed;
  clearTimeout(watchdog);
  if (code === 0) return null;
  endMountsOf(child.pid!);
  const [step, choice] = last ?? [0, 0];
  const what = hasHung
    ? `it hangs (${HANG_MILLISECONDS / 1000} s)`
    : `the process ended: ${signal ?? `exit ${code}`}`;
  row.findings.push({
    operation: row.operation,
    step,
    call: '',
    errno: '',
    what: `${what}\n${errors}`,
    stack: '',
  });
  // When the child ends before the first fault, the operation itself does not work.
  return asked.isOnly || last === null ? null : { ...asked, from: step, choice: choice + 1 };
}

/** A process that waits for a mount which it serves itself cannot be killed: its connections are aborted first (umount -f). */
function endMountsOf(pid: number): void {
  for (const line of fs.readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [, , , , mountpoint = ''] = line.split(' ');
    if (!mountpoint.includes(`/udax-faults-${pid}-`)) continue;
    for (const flag of ['-f', '-l'])
      spawnSync('umount', [flag, mountpoint], { timeout: 5000, stdio: 'ignore' });
  }
}

function end(child: ChildProcess): void {
  endMountsOf(child.pid!);
  child.kill('SIGKILL');
}

async function rowOf(operation: Operation, asked: Omit<Asked, 'operation'>, isTold: boolean): Promise<Row> {
  const row: Row = { operation: operation.name, steps: 0, faults: 0, findings: [] };
  for (let next: Asked | null = { ...asked, operation: operation.name }; next !== null; )
    next = await runChild(next, row, isTold);
  return row;
}

function tell(finding: Finding, isDouble: boolean, seed: number): string {
  const rerun = `npm run faults -- --operation '${finding.operation}' --step ${finding.step}${isDouble ? ' --double' : ''}${seed ? ` --seed ${seed}` : ''}`;
  return `\nFOUND in '${finding.operation}', step ${finding.step} (${finding.call} ${finding.errno}): ${finding.what}\n${finding.stack}\n  again: ${rerun}\n`;
}

/** `FUSE*` means all whose names begin so. */
function isAsked(name: string, asked: string): boolean {
  return asked.endsWith('*') ? name.startsWith(asked.slice(0, -1)) : name === asked;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean' },
      list: { type: 'boolean' },
      operation: { type: 'string', multiple: true },
      step: { type: 'string' },
      choice: { type: 'string' },
      short: { type: 'boolean', default: false },
      double: { type: 'boolean', default: false },
      controls: { type: 'boolean', default: false },
      strace: { type: 'boolean', default: false },
      seed: { type: 'string', default: '0' },
      json: { type: 'boolean' },
      save: { type: 'boolean' },
    },
  });
  if (values.help) return void process.stdout.write(`${HELP}\n`);
  if (values.list) return void process.stdout.write(`${operations.map(({ name }) => name).join('\n')}\n`);
  if (values.strace) {
    await straceRun(values.operation);
    return;
  }
  const chosen = (values.controls ? controls : operations).filter(
    ({ name, isLong }) =>
      values.operation?.some((asked) => isAsked(name, asked)) ?? !(values.short && isLong),
  );
  if (chosen.length === 0) throw new Error(`no operation '${values.operation}': --list tells`);
  const isOnly = values.step !== undefined;
  const { double: isDouble, short: isShort } = values;
  const asked = {
    from: Number(values.step ?? 1),
    choice: Number(values.choice ?? 0),
    isOnly,
    isShort,
    isDouble,
    seed: Number(values.seed),
  };
  const rows: Row[] = [];
  for (const operation of chosen) {
    if (operation.mounts && (process.geteuid?.() !== 0 || !fs.existsSync('/dev/fuse'))) {
      process.stderr.write(`skipped: '${operation.name}' needs root and /dev/fuse\n`);
      continue;
    }
    const row = await rowOf(operation, asked, isOnly);
    rows.push(row);
    if (!values.json) {
      process.stdout.write(
        `${row.operation}: ${row.steps} steps, ${row.faults} faults, ${row.findings.length} found\n`,
      );
      for (const finding of row.findings) process.stdout.write(tell(finding, isDouble, asked.seed));
    }
  }
  report(rows, values);
}

/** Findings on stdout. Exit 1 when there are any, 2 where strace is missing or may not trace. */
async function straceRun(only: string[] | undefined): Promise<void> {
  const { runUnderStrace } = await import('./strace.js');
  const rows = await runUnderStrace(only);
  if (rows === null)
    process.stderr.write('faults --strace: strace is not installed, or may not trace here\n');
  const findings = (rows ?? []).flatMap((row) => row.findings);
  for (const { operation, step, call, what } of findings)
    process.stdout.write(`\nFOUND in '${operation}', step ${step}: ${call}\n  ${what}\n`);
  const faults = (rows ?? []).reduce((sum, row) => sum + row.faults, 0);
  process.stdout.write(`${faults} faults under strace, ${findings.length} found\n`);
  process.exitCode = rows === null ? 2 : findings.length > 0 ? 1 : 0;
}

function report(
  rows: Row[],
  {
    json,
    save,
    controls: isControl,
    double: isDouble,
    short: isShort,
    operation,
  }: {
    json?: boolean | undefined;
    save?: boolean | undefined;
    controls: boolean;
    double: boolean;
    short: boolean;
    operation?: string[] | undefined;
  },
): void {
  const found = rows.flatMap(({ findings }) => findings).length;
  const words = [
    isShort && '--short',
    isDouble && '--double',
    ...(operation ?? []).map((name) => `--operation '${name}'`),
  ];
  const command = ['npm run faults --', ...words.filter((word) => word !== false), '--save'].join(' ');
  const result = {
    tool: 'faults',
    command,
    rows: rows.map(({ operation, steps, faults, findings }) => ({
      what: operation,
      figures: { steps, 'faults tried': faults, leaked: findings.length },
    })),
  };
  if (json)
    process.stdout.write(
      `${JSON.stringify({ ...result, findings: rows.flatMap(({ findings }) => findings) })}\n`,
    );
  else process.stdout.write(`${rows.reduce((sum, { faults }) => sum + faults, 0)} faults, ${found} found\n`);
  if (save) saveRows({ tool: 'faults', command: 'npm run faults -- --save' }, result.rows);
  // A control must be found.
  const isWrong = isControl ? rows.some(({ findings }) => findings.length === 0) : found > 0;
  if (isWrong) process.exitCode = 1;
}

await main();
