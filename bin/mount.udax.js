#!/usr/bin/env node
// What mount(8) runs for `mount -t udax` and for /etc/fstab: docs/mount.md says how it is installed.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

// Exit statuses of mount(8).
const USAGE = 1;
const FAILED = 32;

const built = new URL('../dist/bundle/cli/', import.meta.url);
if (!existsSync(fileURLToPath(new URL('main.js', built)))) {
  process.stderr.write('mount.udax: not built yet: run `npm run build` in the udax checkout (ENOENT)\n');
  process.exit(FAILED);
}
const { mountWords } = await import(new URL('mount-helper.js', built).href);
const given = mountWords(process.argv.slice(2));
if ('usage' in given) {
  process.stderr.write(`mount.udax: ${given.usage} (EINVAL)\n`);
  process.exitCode = USAGE;
} else if ('words' in given) {
  const udax = fileURLToPath(new URL('udax.js', import.meta.url));
  process.argv[1] = udax; // what the mount's own process is started with
  const { main } = await import(new URL('main.js', built).href);
  await main([process.argv[0], udax, ...given.words]);
  if (process.exitCode) process.exitCode = FAILED;
}
