/** udax pack: 37,000 small files in one archive, and an interrupt that leaves nothing. */
import { once } from 'node:events';
import fs from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startUdax, temporaryDirectory, udax } from './support/udax.js';

let directory: ReturnType<typeof temporaryDirectory>;
let root: string;
let many: string;

beforeAll(() => {
  directory = temporaryDirectory();
  root = join(directory.path, 'state');
  many = join(directory.path, 'many');
  for (let i = 0; i < 37_000; i++) {
    if (i % 1000 === 0) fs.mkdirSync(join(many, `d${i / 1000}`), { recursive: true });
    fs.writeFileSync(join(many, `d${Math.floor(i / 1000)}`, `f${i}`), `content of file ${i}\n`);
  }
  for (const words of [
    ['create-region', '-s', '512MiB', '--sparse'],
    ['reconfigure-device', '-m', 'famfs', 'dax0.0'],
    ['mkfs', 'dax0.0'],
  ]) {
    expect(udax(root, ...words)).toMatchObject({ status: 0 });
  }
});
afterAll(() => directory.remove());

const space = () => JSON.parse(udax(root, '--json', 'df', 'dax0.0').stdout);

it('packs 37,000 small files into one file of a volume, which takes one log entry', () => {
  const { status, stdout, stderr } = udax(root, '--json', 'pack', many, 'dax0.0:/many.zip');
  expect({ status, stderr }).toMatchObject({
    status: 0,
    stderr: expect.stringMatching(/and 1 log entry\n$/),
  });
  expect(JSON.parse(stdout)).toMatchObject({ files: 37_000, directories: 37, skipped: [] });
  expect(space()).toMatchObject({ files: 1, logUsed: 1 });
});

it('that is interrupted leaves no file, no space and no name', async () => {
  const before = space();
  const packing = startUdax(root, 'pack', many, 'dax0.0:/interrupted.tar');
  const ended = once(packing, 'close');
  while (space().reserved === 0 && packing.exitCode === null);
  packing.kill('SIGINT');
  await ended;
  expect(packing.exitCode).not.toBe(0);
  expect(space()).toEqual(before);
  expect(udax(root, 'ls', 'dax0.0:/').stdout).toBe('many.zip\n');
});

it('without a suffix that says the format is refused, and reports what it leaves out with status 1', () => {
  expect(udax(root, 'pack', many, join(directory.path, 'x')).stderr).toMatch(
    /ends in neither .zip nor .tar.*EINVAL/,
  );
  const odd = join(directory.path, 'odd');
  fs.mkdirSync(odd);
  fs.writeFileSync(join(odd, 'good'), 'good');
  fs.symlinkSync('nowhere', join(odd, 'link'));
  fs.writeFileSync(Buffer.concat([Buffer.from(`${odd}/bad`), Buffer.from([0xff])]), 'bad');
  const result = udax(root, 'pack', odd, join(directory.path, 'odd.tar'));
  expect(result.status).toBe(1);
  expect(result.stderr).toMatch(/is not packed: its name is no UTF-8: rename it \(EILSEQ\)/);
  expect(result.stdout).toMatch(/^1 file, 1 link in .*odd\.tar: 4 B in 10 KiB\n$/);
});
