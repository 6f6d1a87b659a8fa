// What went wrong: `udax cp F/ dax0.0:/` with a file F said "udax: cp: not a directory", without naming a path.
// Right: an error of this host's file system names the path and what could not be done with it.
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryDirectory, udax } from './support/udax.js';

let directory: ReturnType<typeof temporaryDirectory>;
let root: string;
let image: string;
let file: string;

beforeEach(() => {
  directory = temporaryDirectory();
  root = join(directory.path, 'root');
  image = join(directory.path, 'pool.img');
  file = join(directory.path, 'F');
  writeFileSync(file, 'hello');
  writeFileSync(image, '');
  truncateSync(image, 32 * 2 ** 20);
  expect(udax(root, 'mkfs', image).status).toBe(0);
  expect(udax(root, 'cp', file, `${image}:/f`).status).toBe(0);
});
afterEach(() => directory.remove());

describe('a path of this host that cannot be', () => {
  it('is named when it is a source', () => {
    for (const source of [`${file}/`, `${file}/below`]) {
      const { status, stdout, stderr } = udax(root, 'cp', source, `${image}:/`);
      expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
      expect(stderr).toBe(`udax: cannot look at ${source}: not a directory (ENOTDIR)\n`);
    }
  });

  it('is named when it is the destination', () => {
    const { status, stderr } = udax(root, 'cp', `${image}:/f`, `${file}/`);
    expect(status).toBe(1);
    expect(stderr).toBe(`udax: cannot look at ${file}/: not a directory (ENOTDIR)\n`);
  });

  it('is named when the directory of a tree cannot be made', () => {
    mkdirSync(join(directory.path, 'out'));
    expect(udax(root, 'mkdir', `${image}:/d`).status).toBe(0);
    const target = join(directory.path, 'out', 'missing', 'd');
    const { status, stderr } = udax(root, 'cp', '-r', `${image}:/d`, target);
    expect(status).toBe(1);
    expect(stderr).toBe(`udax: cannot make the directory ${target}: no such file or directory (ENOENT)\n`);
  });
});
