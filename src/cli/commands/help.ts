import { fail } from '../../libc/index.js';
import { catalog } from '../catalog/index.js';
import type { Context } from '../context.js';
import { UsageError } from '../errors.js';
import { completionScript, type Shell, shells } from '../help/completion.js';
import { commandPage, manPage } from '../help/man-page.js';
import { overview, packageFacts } from '../program.js';

/** `udax completion` */
export function completion(_context: Context, [shell = '']: string[]): void {
  if (!(shells as readonly string[]).includes(shell))
    throw new UsageError(`completion is for ${shells.join(', ')}, not ${shell}`);
  process.stdout.write(completionScript(shell as Shell, catalog));
}

/** `udax man`, and `udax help --man` */
export function man(_context: Context, [name]: string[]): void {
  const facts = { ...packageFacts(), overview };
  if (name === undefined) {
    process.stdout.write(manPage(catalog, facts));
    return;
  }
  const spec = catalog.find((one) => one.name === name);
  if (spec === undefined) fail('ENOENT', `there is no command ${name}: udax --help names them`);
  process.stdout.write(commandPage(spec, facts));
}
