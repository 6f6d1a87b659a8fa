// node late-descriptors.mjs DIST SPARE WORDS...: loads the whole command line, takes all descriptors but SPARE, then runs it.
// So EMFILE meets the command at its work, and not Node at loading it.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const [dist, spare, ...words] = process.argv.slice(2);
/** Programs of their own: importing one runs it. */
const PROGRAMS = ['second-process.js', 'session-worker.js'];
const modules = fs
  .readdirSync(dist, { recursive: true })
  .filter((name) => name.endsWith('.js') && !PROGRAMS.includes(path.basename(name)))
  // The page of the inspector is for browsers.
  .filter((name) => !name.startsWith('inspector/page/'));
for (const name of modules) await import(path.join(dist, name));
createRequire(path.join(dist, 'index.js'))('koffi');
const { main } = await import(path.join(dist, 'cli/main.js'));
// Both are opened at their first use.
process.stdout.writable && process.stderr.writable;
// A daemon is the same command line again, which is then the ordinary one.
process.argv.splice(1, Infinity, path.join(dist, '../bin/udax.js'), ...words);
const taken = [];
try {
  for (;;) taken.push(fs.openSync('/dev/null', 'r'));
} catch {}
for (let i = 0; i < Number(spare); i++) fs.closeSync(taken.pop());
await main([process.execPath, 'udax', ...words]);
