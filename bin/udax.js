#!/usr/bin/env node
// The door of the command line. It only checks that the built program is there.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const program = new URL('../dist/bundle/cli/main.js', import.meta.url);
if (!existsSync(fileURLToPath(program))) {
  process.stderr.write('udax: not built yet: run `npm run build` in the udax checkout (ENOENT)\n');
  process.exit(1);
}
const main = await load();
await main?.(process.argv);

/** A process that may open too few files cannot even load it: that is said in a line, as everything else. */
async function load() {
  try {
    return (await import(program.href)).main;
  } catch (error) {
    if (error?.code !== 'EMFILE' && error?.code !== 'ENFILE' && error?.code !== 'EACCES') throw error;
    const next = error.code === 'EACCES' ? '' : ', raise the limit (ulimit -n)';
    process.stderr.write(
      `udax: ${error.path} cannot be loaded: ${error.message.replace(/^[A-Z]+: ([^,]+).*/, '$1')}${next} (${error.code})\n`,
    );
    process.exitCode = 1;
    return undefined;
  }
}
