/** docs/getting-started.md: its blocks, run in order in one directory; docs/troubleshooting.md: every code that udax can give is there. */
import { spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const house = resolve(import.meta.dirname, '..');
const page = (name: string) => readFileSync(join(house, 'docs', name), 'utf8');

interface Block {
  language: string;
  words: string;
  text: string;
}

const blocks: Block[] = [...page('getting-started.md').matchAll(/^```(\w+) ?(.*)\n([\s\S]*?)^```$/gm)].map(
  ([, language, words, text]) => ({ language: language!, words: words!, text: text! }),
);

describe('five minutes to a service', () => {
  let directory = '';
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'udax-start-'));
    mkdirSync(join(directory, 'node_modules'));
    mkdirSync(join(directory, 'bin'));
    symlinkSync(house, join(directory, 'node_modules/udax'));
    symlinkSync(join(house, 'bin/udax.js'), join(directory, 'bin/udax'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  function run(script: string): string {
    const { status, stdout, stderr } = spawnSync('bash', ['-euo', 'pipefail', '-c', script], {
      cwd: directory,
      encoding: 'utf8',
      env: { ...process.env, PATH: `${join(directory, 'bin')}${delimiter}${process.env.PATH}` },
    });
    expect({ script, status, stderr }).toEqual({ script, status: 0, stderr: '' });
    return stdout;
  }

  it('works as printed: a table, four readers, a watcher, a queue', () => {
    const said: string[] = [];
    for (const { words, text } of blocks) {
      const file = /^file=(\S+)$/.exec(words)?.[1];
      if (file !== undefined) writeFileSync(join(directory, file), text);
      else said.push(run(text));
    }
    expect(blocks).toHaveLength(9);
    const sums = said[1]!.trim().split('\n').map(Number);
    const whole = Array.from({ length: 1_000_000 }, (_, i) => Math.sqrt(i)).reduce((sum, root) => sum + root);
    expect(sums).toHaveLength(4);
    expect(sums.reduce((sum, part) => sum + part)).toBeCloseTo(whole, 1);
    expect(said[2]).toMatch(/\/copy\.mjs \d+\n\/end 0\n$/);
    expect(said[3]).toBe('rows 0-99\nrows 100-199\ndone\n');
    expect(said[4]).toContain('table.f64');
    expect(said[4]).toContain('clean');
  });
});

function codesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) => [...readFileSync(join(folder, name), 'utf8').matchAll(/\bfail\(\s*'(E[A-Z0-9]+)'/g)])
    .map(([, code]) => code!);
}

it('docs/troubleshooting.md has every code that udax gives by itself, and each once', () => {
  const rows = [...page('troubleshooting.md').matchAll(/^\| (E[A-Z0-9, ]+) \|/gm)].flatMap(([, codes]) =>
    codes!.split(', '),
  );
  expect(rows.filter((code, i) => rows.indexOf(code) !== i)).toEqual([]);
  expect([...new Set(codesIn(join(house, 'src')))].filter((code) => !rows.includes(code))).toEqual([]);
});
