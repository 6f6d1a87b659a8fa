/**
 * Bundles the command line, and the threads and processes that it starts, into dist/bundle/ (npm run build): a handful of files instead
 * of hundreds, which Node loads in a third of the time. Programs that import udax get the modules in dist/, not the bundle.
 */
import { rmSync } from 'node:fs';
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
await build({
  absWorkingDir: root,
  entryPoints: programs.map((name) => `src/${name}.ts`),
  outbase: 'src',
  outdir,
  bundle: true,
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
