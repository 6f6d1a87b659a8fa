/** Bugs of real code, each as a flag of the model (src/dax/quirks.ts) and the scope in which it shows. */
import { QUIRKS, type Quirk } from '../../dax/index.js';
import { fail } from '../../libc/index.js';
import { type Scope, scopeNamed } from './scope.js';

/** The smallest named scope with the kind of machine that the bug needs. */
const SCOPE_OF: Readonly<Record<string, string>> = {
  'v9-match': 'binding',
  'failure-offset-first-range': 'resizing',
  'kaddr-first-range': 'resizing',
  'direct-access-crosses-range': 'resizing',
  'pgmap-starts-after-data': 'late-map',
  'vmemmap-shift-left': 'open-files',
  'pgmap-ops-left': 'open-files',
  'pgmap-published-early': 'binding',
  'holder-ops-read-twice': 'mounted',
  'holder-cleared-first': 'mounted',
  'put-when-get-failed': 'mounted',
  'phantom-lookup': 'default',
  'zero-page-failed-translation': 'mounted',
  'compound-left': 'open-files',
  'mode-not-restored': 'late-map',
  'no-clear-on-unbind': 'mounted',
  'kernel72-rebind-open-file': 'open-files',
  'kernel72-open-after-unbind': 'open-files',
  'kernel72-mapping-while-bound': 'resizing',
  'kernel72-sticky-pgmap': 'binding',
  'kernel72-mapping-warn': 'resizing',
};

export interface Mutant extends Quirk {
  readonly scope: Scope;
}

/** All mutants. A quirk without a scope above is searched in the default scope. */
export function mutants(): Mutant[] {
  return QUIRKS.map((quirk) => ({ ...quirk, scope: scopeNamed(SCOPE_OF[quirk.flag] ?? 'default') }));
}

/** Finds all mutants for `all`, else the one of that name. @throws DaxError EINVAL */
export function mutantsNamed(name: string): Mutant[] {
  const every = mutants();
  if (name === 'all') return every;
  const one = every.filter(({ flag }) => flag === name);
  if (one.length === 0)
    fail('EINVAL', `there is no mutant ${name}; known: all, ${every.map(({ flag }) => flag).join(', ')}`);
  return one;
}
