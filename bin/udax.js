#!/usr/bin/env node
// The door of the command line. It only checks that the built program is there.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const program = new URL('../dist/cli/main.js', import.meta.url);
if (!existsSync(fileURLToPath(program))) {
  process.stderr.write('udax: not built yet: run `npm run build` in the udax checkout (ENOENT)\n');
  process.exit(1);
}
const { main } = await import(program.href);
await main(process.argv);
