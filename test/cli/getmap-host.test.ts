// getmap --host: a program in any language has the bytes of a file by mapping the pieces in order.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryDirectory, udax } from './support/udax.js';

const examples = path.resolve(import.meta.dirname, '../../examples/getmap');
const have = (program: string, ...args: string[]) => spawnSync(program, args).status === 0;
const compiler = have('cc', '--version');
const go = have('go', 'version');

describe('getmap --host', () => {
  let directory: ReturnType<typeof temporaryDirectory>;
  let root: string;
  let content: Buffer;

  beforeEach(() => {
    directory = temporaryDirectory();
    root = path.join(directory.path, 'root');
    for (const line of [
      ['create-region', '-s', '256MiB'],
      ['reconfigure-device', '-m', 'famfs', 'dax0.0'],
      ['mkfs', 'dax0.0'],
      ['creat', '-s', '7340037', '-r', '-S', '7', '-N', '3', '-B', '4', 'dax0.0:/striped'],
      ['cp', 'dax0.0:/striped', path.join(directory.path, 'content')],
    ])
      expect(udax(root, ...line)).toMatchObject({ status: 0 });
    content = fs.readFileSync(path.join(directory.path, 'content'));
  });
  afterEach(() => directory.remove());

  const json = () => udax(root, 'getmap', '--host', '--json', 'dax0.0:/striped').stdout;

  it('prints size, align and the pieces, which are the file', () => {
    const { size, align, pieces } = JSON.parse(json());
    expect([size, align, pieces.length]).toEqual([7340037, 4096, 4]);
    const bytes = pieces.map((piece: { path: string; offset: number; length: number }) => {
      expect(Object.keys(piece)).toEqual(['path', 'offset', 'length']);
      expect(piece.path).toBe(path.join(root, 'regions/0.mem'));
      const part = Buffer.alloc(piece.length);
      const fd = fs.openSync(piece.path, 'r');
      fs.readSync(fd, part, 0, part.length, piece.offset);
      fs.closeSync(fd);
      return part;
    });
    expect(Buffer.concat(bytes).equals(content)).toBe(true);
  });

  it('is EIO when the memory was cut off, and ENOENT without the file', () => {
    fs.truncateSync(path.join(root, 'regions/0.mem'), 11 * 2 ** 20);
    expect(udax(root, 'getmap', '--host', 'dax0.0:/striped').stderr).toContain('(EIO)');
    expect(udax(root, 'getmap', '--host', 'dax0.0:/no').stderr).toContain('(ENOENT)');
  });

  it.skipIf(!compiler)(`the example in C maps it${compiler ? '' : ' (skipped: no C compiler)'}`, () => {
    const program = path.join(directory.path, 'getmap');
    expect(
      spawnSync('cc', ['-Wall', '-Werror', '-o', program, path.join(examples, 'getmap.c')], {
        encoding: 'utf8',
      }),
    ).toMatchObject({ status: 0, stderr: '' });
    const { stdout, status } = spawnSync(program, { input: json(), maxBuffer: 2 ** 26 });
    expect([status, stdout.equals(content)]).toEqual([0, true]);
  });

  it.skipIf(!go)(`the example in Go maps it${go ? '' : ' (skipped: go is not installed)'}`, () => {
    const { stdout, status } = spawnSync('go', ['run', path.join(examples, 'main.go')], {
      input: json(),
      maxBuffer: 2 ** 26,
    });
    expect([status, stdout.equals(content)]).toEqual([0, true]);
  });
});
