/** What holds for every command of the catalog: errors as documents, tables on narrow terminals, no colours unasked. */
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { catalog } from '../../src/cli/catalog/index.js';
import { because, noMounts, Place, sh } from '../mounts/support.js';
import { noTerminal, onTerminal } from './support/terminal.js';
import { binary, type Outcome, testEnvironment } from './support/udax.js';

let place: Place;
/** A state directory whose machine.json is no machine. */
let damaged: string;
let none: string;

beforeAll(() => {
  place = new Place();
  place.makeVolume('64MiB');
  damaged = join(place.directory, 'damaged');
  none = join(place.directory, 'none');
  mkdirSync(damaged);
  writeFileSync(join(damaged, 'machine.json'), '{}');
  const file = join(place.directory, 'a file with a name that is longer than any narrow terminal is wide');
  writeFileSync(file, 'hello\n');
  for (const words of [
    ['cp', file, 'dax0.0:/'],
    ['cp', file, 'dax0.0:/a'],
    ['mkdir', 'dax0.0:/d'],
    ['arena', 'create', '-s', '4MiB', 'dax0.0:/kv'],
    ['arena', 'put', 'dax0.0:/kv', 'a key of an object that is not short at all', file],
    ['pcq', 'create', '-n', '8', '-b', '64', 'dax0.0:/q'],
    ['poison', 'dax0.0', '40M'],
  ])
    expect([words, place.udax(...words).status]).toEqual([words, 0]);
  if (noMounts === '') place.mount('dax0.0');
});
afterAll(() => place.close());

function run(root: string, words: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [binary, '--root', root, ...words],
      { env: { ...testEnvironment(), ...env }, timeout: 600_000 },
      (error, stdout, stderr) =>
        resolve({ status: (error?.code as number | undefined) ?? 0, stdout, stderr }),
    );
  });
}

/** The one document that stderr has, and nothing beside it on stdout. */
function errorOf({ status, stdout, stderr }: Outcome): { code: string; message: string; hint?: string } {
  expect(status).not.toBe(0);
  expect(stdout).toBe('');
  const { error } = JSON.parse(stderr) as { error: { code: string; message: string; hint?: string } };
  expect(error.code).toMatch(/^E[A-Z0-9]+$/);
  expect(error.message.length).toBeGreaterThan(0);
  expect(error.message).not.toContain('\n');
  return error;
}

const MISSING = '/nonexistent/x';
/** A line that fails for each command: where there is no machine, or (`damaged`) one that cannot be read. Null: it has nothing to fail at. */
const FAILURES: Record<string, { words: string[]; damaged?: true } | null> = {
  'create-region': { words: ['-s', '2M', '-b', MISSING] },
  'destroy-region': { words: ['7'] },
  list: { words: [], damaged: true },
  'create-device': { words: [] },
  'resize-device': { words: ['-s', '2M', 'dax0.0'] },
  'destroy-device': { words: ['dax0.0'] },
  'enable-device': { words: ['dax0.0'] },
  'disable-device': { words: ['dax0.0'] },
  'reconfigure-device': { words: ['-m', 'famfs', 'dax0.0'] },
  'online-memory': { words: ['dax0.0'] },
  'offline-memory': { words: ['dax0.0'] },
  ls: { words: ['dax0.0:/'] },
  cat: { words: ['dax0.0:/a'] },
  getmap: { words: ['dax0.0:/a'] },
  cp: { words: [MISSING, 'dax0.0:/a'] },
  pack: { words: [MISSING, 'dax0.0:/a.zip'] },
  creat: { words: ['-s', '1', 'dax0.0:/a'] },
  mkdir: { words: ['dax0.0:/d'] },
  rm: { words: ['dax0.0:/a'] },
  mv: { words: ['dax0.0:/a', 'dax0.0:/b'] },
  truncate: { words: ['-s', '1', 'dax0.0:/a'] },
  clone: { words: ['dax0.0:/a', 'dax0.0:/b'] },
  pcq: { words: ['create', 'dax0.0:/q'] },
  arena: { words: ['stat', 'dax0.0:/kv'] },
  verify: { words: ['-S', '1', 'dax0.0:/a'] },
  flush: { words: ['dax0.0:/a'] },
  chkread: { words: ['dax0.0:/a', MISSING] },
  completion: { words: ['tcsh'] },
  man: { words: ['nothing'] },
  status: { words: [], damaged: true },
  top: { words: [], damaged: true },
  holders: { words: [], damaged: true },
  poison: { words: ['--list'], damaged: true },
  doctor: null,
  mkfs: { words: ['dax0.0'] },
  fsck: { words: ['dax0.0'] },
  info: { words: ['dax0.0'] },
  df: { words: ['dax0.0'] },
  du: { words: ['dax0.0'] },
  compact: { words: ['dax0.0'] },
  logplay: { words: ['-n', 'dax0.0'] },
  'take-over': { words: ['-f', 'dax0.0'] },
  mount: { words: ['dax0.0', '/nonexistent'] },
  umount: { words: [MISSING] },
  mounts: null,
  metrics: { words: ['--listen', 'nowhere'] },
  publish: { words: [MISSING] },
  run: { words: ['--', MISSING] },
  sysfs: { words: [MISSING] },
  shell: { words: ['--', 'true'] },
  up: { words: ['-s', '0'] },
  'systemd-unit': { words: ['swap'] },
  inspect: { words: ['--port', 'none'] },
  replay: { words: [MISSING] },
  explore: { words: ['--mutant', 'none'] },
};

describe('an error with --json', () => {
  it('is looked at for every command', () => {
    expect(Object.keys(FAILURES).sort()).toEqual(catalog.map(({ name }) => name).sort());
  });

  it.each(catalog.map(({ name }) => name))(
    'of the command line of %s is one document with code, message and hint',
    async (name) => {
      const error = errorOf(await run(none, ['--json', name, '--no-such-option']));
      expect([error.code, error.hint]).toEqual(['EINVAL', `Try: udax ${name} --help`]);
      expect(error.message).toContain('--no-such-option');
    },
  );

  const failing = Object.entries(FAILURES).flatMap(([name, failure]) =>
    failure === null ? [] : [{ name, ...failure }],
  );
  it.each(failing)(
    'of $name is one document with code and message, and a hint that is text',
    async (failure) => {
      const root = failure.damaged ? damaged : none;
      const error = errorOf(await run(root, ['--json', failure.name, ...failure.words]));
      expect(typeof (error.hint ?? '')).toBe('string');
    },
  );
});

/** Lines that succeed and print tables. (fsck prints what C famfs prints, line by line.) */
const TABLES: readonly string[][] = [
  ['status'],
  ['holders'],
  ['mounts'],
  ['top', '--once'],
  ['poison', '--list'],
  ['doctor'],
  ['df', 'dax0.0'],
  ['du', '-h', 'dax0.0'],
  ['ls', '-lR', 'dax0.0:/'],
  ['getmap', 'dax0.0:/a'],
  ['getmap', '--host', 'dax0.0:/a'],
  ['arena', 'stat', 'dax0.0:/kv'],
  ['arena', 'ls', 'dax0.0:/kv'],
  ['info', 'dax0.0'],
  ['pcq', 'info', 'dax0.0:/q'],
];

describe(`a table on a terminal of 40 columns${because}`, () => {
  it.each(TABLES.map((words) => [words.join(' '), words] as const))('of %s fits', async (_line, words) => {
    const { status, stdout } = await run(place.root, words, { COLUMNS: '40' });
    expect(status).toBe(0);
    // Two blanks stand between columns; sentences have none, and the terminal breaks them.
    const rows = stdout.split('\n').filter((line) => /\S {2,}\S/.test(line));
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.filter((line) => [...line].length > 40)).toEqual([]);
  });
});

describe('NO_COLOR', () => {
  it.skipIf(noTerminal !== '')(
    `leaves no escape in what any command prints on a terminal${noTerminal}`,
    async () => {
      const lines = [
        ...TABLES,
        ...catalog.map(({ name }) => ['help', name]),
        ...catalog.map(({ name }) => [name, '--no-such-option']),
      ].map(
        (words) =>
          `'${process.execPath}' '${binary}' --root '${place.root}' ${words.map((word) => `'${word}'`).join(' ')}`,
      );
      const terminal = onTerminal(`${lines.join('; ')}; echo all-done`, { env: { NO_COLOR: '1' } });
      await expect.poll(() => terminal.text(), { timeout: 600_000, interval: 500 }).toContain('all-done');
      expect(terminal.text()).toContain('HOLDERS');
      expect(terminal.text()).not.toContain('\u001b');
    },
    150_000,
  );
});

describe('udax run -- CMD', () => {
  it('gives every word behind -- to CMD, `help --man` and options of ours too', async () => {
    const { status, stdout } = await run(place.root, [
      'run',
      '--',
      'echo',
      'help',
      '--man',
      '--json',
      '--root',
      'x',
    ]);
    expect([status, stdout]).toEqual([0, 'help --man --json --root x\n']);
  });

  it('does so where the command is called help', async () => {
    const script = join(place.directory, 'help');
    writeFileSync(script, '#!/bin/sh\necho "got $*"\n', { mode: 0o755 });
    const { stdout } = await run(place.root, ['run', '--', script, '--man']);
    expect(stdout).toBe('got --man\n');
    expect(
      sh(`PATH='${place.directory}':$PATH '${process.execPath}' '${binary}' run -- help --man`).stdout,
    ).toBe('got --man\n');
  });
});
