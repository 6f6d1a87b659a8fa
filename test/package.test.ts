/** What `npm pack` makes: the files, how it is resolved, and that it works where it is installed. */
import { execFileSync, spawnSync } from 'node:child_process';
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
import { join, resolve } from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { build } from 'esbuild';
import { publint } from 'publint';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const house = resolve(import.meta.dirname, '..');
const MOST_BYTES = 2_100_000;
const manifest = JSON.parse(readFileSync(join(house, 'package.json'), 'utf8'));

/** Every import that the package offers, used. */
const CONSUMER = `import { openVolume, type Volume } from 'udax';
import { mountFamfsAt } from 'udax/mounts';
import { createArena, openArena } from 'udax/arena';
import { openSafetensors } from 'udax/formats';
const volume: Volume = openVolume('./pool', { size: '64MiB' });
createArena(volume, '/kv', { size: 1 << 20 });
const arena = openArena(volume, '/kv');
arena.put('key', Uint8Array.of(1, 2, 3));
console.log(arena.read('key')!.length, typeof mountFamfsAt, typeof openSafetensors);
arena.close();
volume.close();
`;
const SETTINGS = {
  nodenext: { module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext },
  node16: { module: ts.ModuleKind.Node16, moduleResolution: ts.ModuleResolutionKind.Node16 },
  bundler: { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler },
};

describe('the package', () => {
  let place = '';
  let tarball = '';
  let files: string[] = [];

  beforeAll(() => {
    place = mkdtempSync(join(tmpdir(), 'udax-package-'));
    const words = ['pack', '--ignore-scripts', '--json', '--pack-destination', place];
    const [made] = JSON.parse(execFileSync('npm', words, { cwd: house, encoding: 'utf8' }));
    tarball = join(place, made.filename);
    files = made.files.map(({ path }: { path: string }) => path);
    // Installed as npm does it, but for the network: what it depends on is here already.
    const modules = join(place, 'node_modules');
    mkdirSync(join(modules, 'udax'), { recursive: true });
    execFileSync('tar', ['xzf', tarball, '-C', join(modules, 'udax'), '--strip-components=1']);
    for (const name of [...Object.keys(manifest.dependencies), '@types'])
      symlinkSync(join(house, 'node_modules', name), join(modules, name));
    writeFileSync(join(place, 'package.json'), '{"type":"module","private":true}');
    writeFileSync(join(place, 'consumer.ts'), CONSUMER);
    writeFileSync(
      join(place, 'consumer.cts'),
      `import udax = require('udax');\nexport const make = udax.openVolume;\n`,
    );
  });
  afterAll(() => rmSync(place, { recursive: true, force: true }));

  it('has what runs and what is read, and nothing else', () => {
    const odd = files.filter((file) =>
      /\.(map|tsbuildinfo)$|^(test|proof|bench|conformance|build)\//.test(file),
    );
    expect(odd).toEqual([]);
    for (const file of [
      'bin/udax.js',
      'dist/index.d.ts',
      'dist/bundle/cli/main.cjs',
      'dist/inspector/page/index.html',
      'native/udax-run.c',
      'LICENSE',
    ])
      expect(files).toContain(file);
    expect(readFileSync(tarball).length).toBeLessThan(MOST_BYTES);
  });

  it('has the licences of what is bundled in it', () => {
    const text = readFileSync(join(place, 'node_modules/udax/dist/bundle/LICENSES.txt'), 'utf8');
    for (const name of ['commander', 'cli-progress', 'string-width'])
      expect(text).toMatch(new RegExp(`^${name} \\d+\\.\\d+`, 'm'));
    expect(text.match(/Copyright/g)!.length).toBeGreaterThanOrEqual(3);
  });

  it('has no fault that publint knows', async () => {
    const { messages } = await publint({
      pkgDir: join(place, 'node_modules/udax'),
      strict: true,
      pack: false,
    });
    // It has no repository to name yet.
    expect(messages).toEqual([]);
  });

  it('has types that are those of the code, wherever it is resolved', async () => {
    const analysis = await checkPackage(createPackageFromTarballData(new Uint8Array(readFileSync(tarball))));
    expect(analysis.types).toMatchObject({ kind: 'included' });
    const problems = 'problems' in analysis ? analysis.problems : [];
    // Node 20.19 and later loads ES modules by require(); resolution of before 2021 has no exports.
    const known = problems.filter(
      (problem) =>
        problem.kind === 'CJSResolvesToESM' ||
        ('resolutionKind' in problem && problem.resolutionKind === 'node10'),
    );
    expect(problems.filter((problem) => !known.includes(problem))).toEqual([]);
  });

  it.each(Object.keys(SETTINGS) as (keyof typeof SETTINGS)[])('compiles in a project with %s', (name) => {
    const inputs = name === 'bundler' ? ['consumer.ts'] : ['consumer.ts', 'consumer.cts'];
    const program = ts.createProgram(
      inputs.map((file) => join(place, file)),
      {
        ...SETTINGS[name],
        target: ts.ScriptTarget.ES2022,
        strict: true,
        // Our own declarations are checked once.
        skipLibCheck: name !== 'nodenext',
        noEmit: true,
        types: ['node'],
        typeRoots: [join(place, 'node_modules/@types')],
      },
    );
    const found = ts
      .getPreEmitDiagnostics(program)
      .map(({ messageText, file }) => [
        file?.fileName.slice(place.length),
        ts.flattenDiagnosticMessageText(messageText, ' '),
      ]);
    // To this old mode an ES module is none for require(); Node 20.19 thinks otherwise.
    expect(found.filter(([file]) => !(name === 'node16' && file === '/consumer.cts'))).toEqual([]);
  });

  it('runs, as it is and bundled, and so does the command', async () => {
    const outfile = join(place, 'bundled.mjs');
    await build({
      entryPoints: [join(place, 'consumer.ts')],
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile,
      external: ['udax', 'udax/*', 'koffi'],
      logLevel: 'silent',
    });
    const { status, stdout, stderr } = spawnSync(process.execPath, [outfile], {
      cwd: place,
      encoding: 'utf8',
    });
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '3 function function\n', stderr: '' });
    const udax = (...words: string[]) =>
      spawnSync(process.execPath, [join(place, 'node_modules/udax/bin/udax.js'), ...words], {
        cwd: place,
        encoding: 'utf8',
      });
    expect(udax('--version').stdout.trim()).toBe(manifest.version);
    expect(udax('--root', './pool', 'ls', 'dax0.0:/')).toMatchObject({ status: 0, stdout: 'kv\n' });
    expect(udax('--root', './pool', 'fsck', 'dax0.0')).toMatchObject({ status: 0 });
  });

  it('has one native dependency, and its man page and completions', () => {
    expect(Object.keys(manifest.dependencies).sort()).toEqual(['cli-progress', 'commander', 'koffi']);
    expect(readdirSync(join(place, 'node_modules/udax/dist/man'))).toEqual(['udax.1']);
  });
});
