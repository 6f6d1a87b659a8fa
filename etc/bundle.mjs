/**
 * Bundles the command line, and the threads and processes that it starts, into dist/bundle/ (npm run build): a handful of files instead
 * of hundreds, which Node loads in a third of the time. Programs that import udax get the modules in dist/, not the bundle.
 * The command itself is one script, because V8 keeps compiled code of scripts and not of modules (bin/door.js).
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const outdir = join(root, 'dist/bundle');
const programs = [
  'cli/up/second-process',
  'fuse/session-worker',
  'mounts/famfs/module',
  'mounts/sysfs/module',
];
const both = {
  absWorkingDir: root,
  bundle: true,
  metafile: true,
  platform: 'node',
  target: 'node20.19',
  external: ['koffi'],
  logLevel: 'warning',
};

rmSync(outdir, { recursive: true, force: true });
const modules = await build({
  ...both,
  entryPoints: programs.map((name) => `src/${name}.ts`),
  outbase: 'src',
  outdir,
  splitting: true,
  format: 'esm',
  // Packages of the older module system ask for Node's own modules by require().
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
  },
});
const command = await build({
  ...both,
  stdin: {
    contents: "export { main } from './main.js'; export { mountWords } from './mount-helper.js';",
    resolveDir: join(root, 'src/cli'),
  },
  outfile: join(outdir, 'cli/main.cjs'),
  format: 'cjs',
  define: { 'import.meta.url': 'urlOfBundle' },
  banner: { js: "const urlOfBundle = require('node:url').pathToFileURL(__filename).href;" },
});
const script = join(outdir, 'cli/main.cjs');
const code = readFileSync(script);
// The door asks for the compiled code of this very text.
const hash = createHash('sha256').update(code).digest('hex').slice(0, 16);
writeFileSync(script, `/* ${hash} */${code}`);

/** The bundle holds code of other packages: their licences go with it. */
const packages = new Set(
  [modules, command]
    .flatMap(({ metafile }) => Object.keys(metafile.inputs))
    .flatMap((file) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? []),
);
const licences = [...packages].sort().map((place) => {
  const name = readdirSync(join(root, place)).find((file) => /^licen[cs]e/i.test(file));
  if (name === undefined) throw new Error(`${place} is bundled, and has no licence file`);
  const { name: of, version } = JSON.parse(readFileSync(join(root, place, 'package.json'), 'utf8'));
  return `${of} ${version}\n\n${readFileSync(join(root, place, name), 'utf8').trim()}\n`;
});
writeFileSync(join(outdir, 'LICENSES.txt'), licences.join(`\n${'-'.repeat(80)}\n\n`));
