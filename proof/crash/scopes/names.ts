/** append, mkdir, create: one log entry or two, and the object that it names. */
import { deviceMedia, Log, LogAppender, readSuperblock } from '../../../src/famfs/index.js';
import { memoryKinds } from '../../media/traced-backing.js';
import {
  both,
  drop,
  either,
  fencesBy,
  flushesBy,
  moveBefore,
  moveBehind,
  storesBy,
  within,
} from '../mutate.js';
import type { Bench, Mutant, Scope } from '../scope.js';
import { oldVolume, owner, readVolume, withVolume, writeMore } from '../volumes.js';

const MIB = 2 ** 20;
const LOG = 2 * MIB;
const HEADER = within(LOG, LOG + 48);
const ENTRIES = within(LOG + 48, 10 * MIB);
const APPEND = /append[.]ts LogAppender[.]append/;
const entryStore = both(storesBy(APPEND), ENTRIES);
const indexStores = both(storesBy(APPEND), HEADER);
const entryFlush = both(flushesBy(APPEND), ENTRIES);
const headerFlush = both(flushesBy(APPEND), HEADER);

/** The orders that every append must keep. */
const appendMutants: readonly Mutant[] = [
  {
    name: 'upstream-order',
    about:
      'both numbers stored before the entry is durable, all flushed at the end (as C famfs: famfs-format.md 6)',
    memory: 'pmem',
    change: (events) => moveBehind(events, entryFlush, indexStores),
  },
  {
    name: 'no-fence',
    about: 'no fence between the entry and the numbers',
    memory: 'hosts',
    change: (events) => {
      const first = events.findIndex((event) => fencesBy(APPEND)(event));
      return events.filter((_, i) => i !== first);
    },
  },
  {
    name: 'no-entry-flush',
    about: 'the entry is not flushed',
    memory: 'pmem',
    change: (events) => drop(events, entryFlush),
  },
  {
    name: 'no-index-flush',
    about: 'the numbers are not flushed',
    memory: 'hosts',
    change: (events) => drop(events, headerFlush),
  },
  {
    name: 'index-first',
    about: 'the numbers are stored before the entry',
    memory: 'shared',
    change: (events) => moveBefore(events, indexStores, entryStore),
  },
];

const base = {
  memories: memoryKinds,
  prepare: oldVolume,
  read: ({ device }: Bench) => readVolume(device),
  goOn: ({ device }: Bench, text: string) => writeMore(device, text),
};

export const append: Scope = {
  ...base,
  name: 'append',
  about: 'three entries by the log alone',
  act({ device, mark }) {
    const media = deviceMedia(device);
    const appender = new LogAppender(Log.open(media, readSuperblock(media)));
    for (const path of [
      'one',
      'a-name-that-is-long-enough-to-lie-in-two-cache-lines-of-its-entry',
      'one/three',
    ]) {
      appender.append({ kind: 'mkdir', path, mode: 0o755, ...owner });
      mark();
    }
    media.close();
  },
  mutants: appendMutants,
};

export const mkdir: Scope = {
  ...base,
  name: 'mkdir',
  about: 'Volume.mkdir, one directory, then two at once (recursive: the outer one may be there alone)',
  act({ device, mark }) {
    withVolume(device, (volume) => {
      volume.mkdir('/one', { mode: 0o700, ...owner });
      mark();
      volume.mkdir('/one/two/three', { recursive: true, ...owner });
      mark();
    });
  },
  alsoAllowed: /[/]one[/]two directory[^;]*$/,
  mutants: appendMutants.slice(0, 1),
};

const DATA = within(10 * MIB, 64 * MIB);
const isZeroing = both(storesBy(/creation[.]ts zeroAll/), DATA);

export const create: Scope = {
  ...base,
  name: 'create',
  about: 'Volume.create over space that is not empty',
  act({ device, mark }) {
    withVolume(device, (volume) => {
      volume.create('/fresh', { size: 5000, mode: 0o600, uid: 3, gid: 4 }).close();
      mark();
    });
  },
  mutants: [
    {
      name: 'data-not-flushed',
      about: 'the zeroes of a new file are not flushed before its entry',
      memory: 'pmem',
      change: (events) => drop(events, flushesBy(/flushData/)),
    },
    {
      name: 'entry-first',
      about: 'the entry is published before the space is zeroed',
      memory: 'shared',
      change: (events) => moveBehind(events, isZeroing, either(entryStore, indexStores)),
    },
  ],
};

/** What fsck says of clones: intended here. */
const sharedSpace: ReadonlySet<string> = new Set(['extent-overlap']);

export const clone: Scope = {
  ...base,
  name: 'clone',
  about:
    'Volume.clone, twice: one more name for the same bytes, and a name for that one (fsck tells of shared space)',
  read: ({ device }) => readVolume(device, sharedSpace),
  goOn: ({ device }, text) => writeMore(device, text, sharedSpace),
  act({ device, mark }) {
    withVolume(device, (volume) => {
      volume.clone('/old/file', '/old/clone', { force: true });
      mark();
      volume.clone('/old/clone', '/clone-of-the-clone', { force: true });
      mark();
    });
  },
  mutants: appendMutants.filter(({ name }) => name === 'upstream-order' || name === 'index-first'),
};
