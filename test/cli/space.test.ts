/** udax df, du and what cp says at its end: what space is taken, and what for. */
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startUdax, temporaryDirectory, udax } from './support/udax.js';

const UNIT = 2 * 2 ** 20;
let directory: ReturnType<typeof temporaryDirectory>;
let root: string;

beforeAll(() => {
  directory = temporaryDirectory();
  root = join(directory.path, 'state');
  mkdirSync(join(directory.path, 'tree', 'sub'), { recursive: true });
  writeFileSync(join(directory.path, 'tree', 'a'), 'hello');
  writeFileSync(join(directory.path, 'tree', 'sub', 'b'), Buffer.alloc(3 * 2 ** 20, 1));
  for (const words of [
    ['create-region', '-s', '64MiB', '--sparse'],
    ['reconfigure-device', '-m', 'famfs', 'dax0.0'],
    ['mkfs', 'dax0.0'],
  ]) {
    expect(udax(root, ...words)).toMatchObject({ status: 0 });
  }
});
afterAll(() => directory.remove());

const space = () => JSON.parse(udax(root, '--json', 'df', 'dax0.0').stdout);

it('cp says what it took: units, bytes lost to rounding, log entries', () => {
  const first = udax(root, 'cp', '-r', join(directory.path, 'tree'), 'dax0.0:/');
  expect(first).toMatchObject({ status: 0, stderr: '' });
  expect(first.stdout).toEqual(
    expect.stringContaining(
      '; this took 3 units of 2 MiB (6 MiB, 3 MiB of them lost to rounding) and 4 log entries\n',
    ),
  );
  const again = udax(root, '--json', 'cp', join(directory.path, 'tree', 'a'), 'dax0.0:/tree');
  expect(again).toMatchObject({ status: 0, stderr: '' });
  expect(JSON.parse(again.stdout).took).toEqual({
    allocUnit: UNIT,
    units: 0,
    bytes: 0,
    lostToRounding: 0,
    logEntries: 0,
  });
});

it('df tells the parts of the used space', () => {
  const { stdout } = udax(root, 'df', 'dax0.0');
  expect(stdout).toMatch(/^units +8 of 2 MiB taken; 10 MiB are superblock and log$/m);
  expect(stdout).toMatch(/^files +3 MiB in 2 files and 2 directories$/m);
  expect(stdout).toMatch(/^lost to rounding +3 MiB of their units hold none of their bytes$/m);
  expect(stdout).toMatch(/^reclaimable +0 B that no name reaches$/m);
  expect(space()).toMatchObject({ lostToRounding: 3 * 2 ** 20 - 5, reserved: 0, reclaimable: 0 });
});

it('df shows what another process has reserved for a file that is not published yet', async () => {
  const before = space();
  const copy = startUdax(root, 'cp', '-', 'dax0.0:/coming');
  try {
    copy.stdin.write(Buffer.alloc(1000));
    while (space().reserved === 0) await pause(20);
    expect(space()).toMatchObject({
      reserved: UNIT,
      free: before.free - UNIT,
      used: before.used + UNIT,
      files: before.files,
    });
  } finally {
    copy.kill('SIGKILL');
    await once(copy, 'close');
  }
  expect(space()).toEqual(before);
});

it('du tells what directories take, and with -s the total alone', () => {
  const { stdout } = udax(root, 'du', '-h', 'dax0.0:/tree');
  expect(stdout.split('\n').map((line) => line.trim().split(/ {2,}/))).toEqual([
    ['TAKEN', 'BYTES', 'LOST', 'LOG ENTRIES', 'FILE'],
    ['4 MiB', '3 MiB', '1 MiB', '2', 'dax0.0:/tree/sub'],
    ['6 MiB', '3 MiB', '3 MiB', '4', 'dax0.0:/tree'],
    [''],
  ]);
  const { stdout: json } = udax(root, '--json', 'du', '-s', 'dax0.0', 'dax0.0:/tree/a');
  expect(JSON.parse(json)).toEqual([
    {
      device: 'dax0.0',
      path: '/',
      taken: 3 * UNIT,
      bytes: 3 * 2 ** 20 + 5,
      lostToRounding: 3 * 2 ** 20 - 5,
      logEntries: 4,
    },
    { device: 'dax0.0', path: '/tree/a', taken: UNIT, bytes: 5, lostToRounding: UNIT - 5, logEntries: 1 },
  ]);
});

it('cp says what a file takes that replaces one of another size', () => {
  const other = join(directory.path, 'other');
  writeFileSync(other, 'x'.repeat(77));
  const { status, stdout } = udax(root, '--json', 'cp', other, 'dax0.0:/tree/a');
  expect(status).toBe(0);
  expect(JSON.parse(stdout).took).toMatchObject({ units: 1, bytes: UNIT, lostToRounding: UNIT - 77 });
  expect(space().reclaimable).toBeGreaterThan(0);
});
