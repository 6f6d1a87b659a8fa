/**
 * Bundles the command line, and the threads and processes that it starts, into dist/bundle/ (npm run build): a handful of files instead
 * of hundreds, which Node loads in a third of the time. Programs that import udax get the modules in dist/, not the bundle.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const outdir = join(root, 'dist/bundle');
const programs = [
  'cli/main',
  'cli/mount-helper',
  'cli/up/second-process',
  'fuse/session-worker',
  'mounts/famfs/module',
  'mounts/sysfs/module',
];

rmSync(outdir, { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: programs.map((name) => `src/${name}.ts`),
  outbase: 'src',
  outdir,
  bundle: true,
  metafile: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  external: ['koffi'],
  // Packages of the older module system ask for Node's own modules by require().
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
  },
  logLevel: 'warning',
});

/** The bundle holds code of other packages: their licences go with it. */
const packages = new Set(
  Object.keys(metafile.inputs).flatMap(
    (file) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? [],
  ),
);
const licences = [...packages].sort().map((place) => {
  const name = readdirSync(join(root, place)).find((file) => /^licen[cs]e/i.test(file));
  if (name === undefined) throw new Error(`${place} is bundled, and has no licence file`);
  const { name: of, version } = JSON.parse(readFileSync(join(root, place, 'package.json'), 'utf8'));
  return `${of} ${version}\n\n${readFileSync(join(root, place, name), 'utf8').trim()}\n`;
});
writeFileSync(join(outdir, 'LICENSES.txt'), licences.join(`\n${'-'.repeat(80)}\n\n`));
