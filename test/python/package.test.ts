// The Python package as a package: its own tests, doctests, README, types, oldest syntax, and a wheel in an empty environment.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openVolume } from '../../src/index.js';
import { because, client, MIB, noPython, pythons, run, temporaryDirectory, UUID } from './support.js';

const sources = (folder: string): string[] =>
  fs
    .readdirSync(path.join(client, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.py'))
    .map((name) => path.join(client, folder, name));

function have(program: string, ...args: string[]): boolean {
  return spawnSync(program, args).status === 0;
}

const mypy = have('mypy', '--version');
const builds = pythons.find(({ program }) =>
  have(program, '-c', 'import setuptools, wheel, pip, venv, ensurepip'),
);

describe.skipIf(noPython !== '')(`the Python package${because}`, () => {
  let directory: string;
  beforeEach(() => {
    process.env.UDAX_SYSTEM_UUID = UUID;
    directory = temporaryDirectory();
  });
  afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

  it.each(pythons)('passes its own tests, all of them ($version)', ({ program }) => {
    const code =
      'import sys, unittest; s = unittest.defaultTestLoader.discover("tests", top_level_dir="."); r = unittest.TextTestRunner(stream=sys.stderr).run(s); print(r.testsRun, r.wasSuccessful())';
    const written = sources('tests').reduce(
      (sum, file) => sum + [...fs.readFileSync(file, 'utf8').matchAll(/^ {4}def test_/gm)].length,
      0,
    );
    expect(written).toBeGreaterThan(45);
    expect(run(program, ['-c', code])).toBe(`${written} True\n`);
  });

  it.each(pythons)('has doctests that hold ($version)', ({ program }) => {
    const code =
      'import doctest, importlib; r = [doctest.testmod(importlib.import_module(n)) for n in ("udax.extents", "udax.formats.safetensors")]; print(sum(x.attempted for x in r) >= 7, sum(x.failed for x in r))';
    expect(run(program, ['-c', code])).toBe('True 0\n');
  });

  it('is Python 3.9, in ASCII, in files of at most 400 lines', () => {
    const code =
      'import ast, sys\nfor f in sys.argv[1:]: ast.parse(open(f, encoding="ascii").read(), f, feature_version=(3, 9))';
    const files = sources('src');
    expect(files.length).toBeGreaterThan(20);
    run(pythons[0]!.program, ['-c', code, ...files]);
    expect(files.filter((file) => fs.readFileSync(file, 'utf8').split('\n').length > 401)).toEqual([]);
  });

  it.skipIf(!mypy)(`has strict types${mypy ? '' : ' (skipped: mypy is not installed)'}`, () => {
    run('mypy', ['--strict', '--cache-dir', path.join(directory, 'cache'), 'src/udax'], {
      env: { PYTHONPATH: '' },
    });
  });

  it('has a README whose examples run', async () => {
    const { program, hasNumpy } = pythons[0]!;
    const readme = fs.readFileSync(path.join(client, 'README.md'), 'utf8');
    const [first] = [...readme.matchAll(/```python\n([\s\S]*?)```/g)].map((match) => match[1]!);
    const volume = openVolume(path.join(directory, 'pool'), { size: '64MiB' });
    await volume.writeFile('/vectors.f32', new Uint8Array(new Float32Array(1000).fill(1.5).buffer));
    volume.close();
    const code = hasNumpy ? first! : first!.replace(/^array.*$/m, '');
    const more = hasNumpy ? 'print(len(view), array[0])' : 'print(len(view), 1.5)';
    expect(run(program, ['-c', `${code}\n${more}`], { cwd: directory })).toBe(
      "['vectors.f32'] 4000\n4000 1.5\n",
    );
  });

  it.skipIf(!builds)(
    `is built into a wheel without a network, and works from an empty environment${builds ? '' : ' (skipped: setuptools, wheel, pip or venv is missing)'}`,
    async () => {
      const copy = path.join(directory, 'source');
      fs.cpSync(client, copy, { recursive: true });
      const { program } = builds!;
      const empty = { PYTHONPATH: '', PIP_NO_INDEX: '1', PIP_DISABLE_PIP_VERSION_CHECK: '1' };
      run(program, ['-m', 'pip', 'wheel', '-q', '--no-build-isolation', '--no-deps', '-w', directory, copy], {
        env: empty,
      });
      const [wheel] = fs.readdirSync(directory).filter((name) => name.endsWith('.whl'));
      expect(wheel).toBe('udax-0.2.0-py3-none-any.whl');
      const place = path.join(directory, 'env');
      run(program, ['-m', 'venv', place], { env: empty });
      const own = path.join(place, 'bin/python');
      run(own, ['-m', 'pip', 'install', '-q', '--no-deps', path.join(directory, wheel!)], { env: empty });
      const volume = openVolume(path.join(directory, 'pool'), { size: 64 * MIB });
      await volume.writeFile('/a', Buffer.from('from a wheel'));
      volume.close();
      const code =
        'import udax, udax.formats, os, sys; print(bytes(udax.open_volume(sys.argv[1]).open("/a").buffer()).decode(), os.path.exists(os.path.join(os.path.dirname(udax.__file__), "py.typed")))';
      const printed = run(own, ['-c', code, path.join(directory, 'pool')], { cwd: directory, env: empty });
      expect(printed).toBe('from a wheel True\n');
    },
  );
});
