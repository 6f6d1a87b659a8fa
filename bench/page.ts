/** The measured tables of docs/performance.md, between its markers. */
import { readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import type { Row } from './harness.js';

const PAGE = 'docs/performance.md';
const START = '<!-- measured: npm run bench -- --page -->';
const END = '<!-- end of what is measured -->';

/** @param verdict of a row, as the table on the terminal has it */
export function savePage(rows: readonly Row[], verdict: (row: Row) => string): void {
  const text = readFileSync(PAGE, 'utf8');
  const [before, rest] = text.split(START);
  const [, after] = (rest ?? '').split(END);
  if (before === undefined || after === undefined)
    throw new Error(`${PAGE} has no place for what is measured`);
  writeFileSync(PAGE, `${before}${START}\n\n${measured(rows, verdict)}\n${END}${after}`);
}

function measured(rows: readonly Row[], verdict: (row: Row) => string): string {
  const date = new Date().toISOString().slice(0, 10);
  const gibibytes = Math.round(os.totalmem() / 2 ** 30);
  const machine = `${os.cpus()[0]?.model ?? 'unknown'}, ${os.availableParallelism()} processors, ${gibibytes} GiB`;
  const noisy = rows.filter((row) => verdict(row) === 'noisy').length;
  return [
    `Measured ${date} on: ${machine}; Linux ${os.release()}; Node ${process.version}. ` +
      `${noisy} of ${rows.length} rows were too noisy to tell.`,
    '',
    '| row | what | value | p90 | goal | | spread | against |',
    '|---|---|---:|---:|---:|---|---:|---|',
    ...rows.map((row) => {
      const spread = row.spread ? `+-${Math.round(row.spread * 50)} %` : '';
      const value = `${row.value} ${row.unit}`;
      return `| ${row.id} | ${row.name} | ${value} | ${row.p90 ?? ''} | ${row.goal} | ${verdict(row)} | ${spread} | ${row.reference} |`;
    }),
    '',
  ].join('\n');
}
