import { fail } from '../../libc/index.js';
import type { CommandSpec, Run } from '../catalog/spec.js';
import { UsageError } from '../errors.js';
import { completionScript, type Shell, shells } from '../help/completion.js';
import { commandPage, manPage } from '../help/man-page.js';
import { packageFacts } from '../package-facts.js';
import { overview } from '../program.js';

/** `udax completion` */
export function completionOf(catalog: readonly CommandSpec[]): Run {
  return (_context, [shell = '']) => {
    if (!(shells as readonly string[]).includes(shell))
      throw new UsageError(`completion is for ${shells.join(', ')}, not ${shell}`);
    process.stdout.write(completionScript(shell as Shell, catalog));
  };
}

/** `udax man`, and `udax help --man` */
export function manOf(catalog: readonly CommandSpec[]): Run {
  return (_context, [name]) => {
    const facts = { ...packageFacts(), overview };
    const spec = catalog.find((one) => one.name === name);
    if (name !== undefined && spec === undefined)
      fail('ENOENT', `there is no command ${name}: udax --help names them`);
    process.stdout.write(spec === undefined ? manPage(catalog, facts) : commandPage(spec, facts));
  };
}
