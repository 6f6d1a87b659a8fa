/**
 * Runs the commands that people begin with, all in one process, behind the door of the command (npm run build): so the compiled code
 * that the door keeps has what they need. Without it the first command of all decides what is kept.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const directory = mkdtempSync(join(tmpdir(), 'udax-build-'));
const file = join(directory, 'file');
writeFileSync(file, 'bytes');
const { main } = createRequire(import.meta.url)('../bin/door.js').load();
const print = process.stdout.write;
process.stdout.write = (_text, ...rest) => {
  rest.at(-1)?.call?.();
  return true;
};
for (const words of [
  ['create-region', '--size', '64M', '--sparse'],
  ['reconfigure-device', '-m', 'famfs', 'dax0.0'],
  ['mkfs', 'dax0.0'],
  ['cp', file, 'dax0.0:/a'],
  ['mkdir', 'dax0.0:/b'],
  ['ls', '-l', 'dax0.0:/'],
  ['cat', 'dax0.0:/a'],
  ['df', 'dax0.0'],
  ['status'],
  ['list'],
]) {
  await main([process.argv[0], 'udax', '--root', join(directory, 'machine'), ...words]);
  if (process.exitCode) break; // main() has said why
}
process.stdout.write = print;
if (process.exitCode) process.stderr.write('build: so what the first command compiles is kept, no more\n');
process.exitCode = 0;
rmSync(directory, { recursive: true });
