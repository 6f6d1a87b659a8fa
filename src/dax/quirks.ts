import { fail } from '../libc/index.js';

/** A bug that real code has or had. Its flag turns it on, at one place of the model. */
export interface Quirk {
  readonly flag: string;
  /** `upstream`: a version of the fsdev or famfs patches (kernel-dax.md 21). `kernel72`: Linux 7.2 (kernel-dax.md 12). */
  readonly kind: 'upstream' | 'kernel72';
  readonly about: string;
  /** The invariant that it breaks. */
  readonly invariant: string;
}

const upstream = (flag: string, invariant: string, about: string): Quirk => ({
  flag,
  kind: 'upstream',
  about,
  invariant,
});
const kernel72 = (flag: string, invariant: string, about: string): Quirk => ({
  flag,
  kind: 'kernel72',
  about,
  invariant,
});

/** Every flag, in the order of kernel-dax.md 21 and kernel-dax.md 12. */
export const QUIRKS: readonly Quirk[] = [
  upstream('v9-match', 'I4', 'fsdev_dax matches device-type devices: load order decides who binds'),
  upstream('failure-offset-first-range', 'I10', 'memory_failure offset counts from ranges[0] only'),
  upstream('kaddr-first-range', 'I10', 'kaddr counts from ranges[0] only, wrong for multi-range devices'),
  upstream('direct-access-crosses-range', 'I10', 'direct_access answers a length that crosses a range'),
  upstream(
    'pgmap-starts-after-data',
    'I10',
    'the probe goes on with data offset 0 when the page map starts late',
  ),
  upstream('vmemmap-shift-left', 'I1', 'vmemmap_shift of device_dax is left on a static page map'),
  upstream('pgmap-ops-left', 'I3', 'page map ops and owner are left after unbind'),
  upstream('pgmap-published-early', 'I3', 'dev_dax.pgmap is set before the probe can no longer fail'),
  upstream('holder-ops-read-twice', 'I3', 'holder operations are read twice around a concurrent put'),
  upstream(
    'holder-cleared-first',
    'I3',
    'a put clears the holder before its operations: it takes those of the next holder',
  ),
  upstream('put-when-get-failed', 'I3', 'a mount puts the device also when getting it had failed'),
  upstream('phantom-lookup', 'I11', 'a lookup by dev_t makes a phantom device'),
  upstream('zero-page-failed-translation', 'I10', 'zero_page_range uses the kaddr of a failed translation'),
  upstream('compound-left', 'I1', 'compound folios of device_dax are left when fsdev_dax takes the pages'),
  upstream('mode-not-restored', 'I12', 'a helper changes the mode and does not restore it on error'),
  upstream(
    'no-clear-on-unbind',
    'I3',
    'folio state is not cleared on unbind: the next user gets dirty pages',
  ),
  kernel72('kernel72-rebind-open-file', 'I6', 'a rebind under an open file revives it and corrupts its node'),
  kernel72(
    'kernel72-open-after-unbind',
    'I3',
    'an unbound node opens while another file is open; mmap then Oopses',
  ),
  kernel72(
    'kernel72-mapping-while-bound',
    'I10',
    'a range added while bound has no pages: access or unbind Oopses',
  ),
  kernel72(
    'kernel72-sticky-pgmap',
    'I3',
    'a failed probe leaves its page map: later probes are EINVAL for good',
  ),
  kernel72('kernel72-mapping-warn', 'I12', 'an empty mapping on a device with ranges prints a WARN'),
];

/**
 * Sets of flags by name, without the crashes of those kernels (decision 10). linux-7.2: the bugs that its transcripts show. linux-7.4:
 * what is left of them and what its fsdev_dax does otherwise than udax (kernel-dax.md 22).
 */
export const QUIRK_SETS: Readonly<Record<string, readonly string[]>> = {
  'linux-7.2': ['kernel72-sticky-pgmap', 'kernel72-open-after-unbind'],
  'linux-7.4': ['kernel72-sticky-pgmap', 'kernel72-open-after-unbind', 'direct-access-crosses-range'],
};

/** The flags for names of flags and sets. @throws DaxError EINVAL unknown name */
export function expandQuirks(names: Iterable<string>): Set<string> {
  const flags = new Set<string>();
  for (const name of names) {
    const set = Object.hasOwn(QUIRK_SETS, name) ? QUIRK_SETS[name] : undefined;
    const known = set ?? (QUIRKS.some(({ flag }) => flag === name) ? [name] : undefined);
    if (known === undefined)
      fail('EINVAL', `there is no quirk ${name}; known: ${QUIRKS.map(({ flag }) => flag).join(', ')}`);
    for (const flag of known) flags.add(flag);
  }
  return flags;
}
