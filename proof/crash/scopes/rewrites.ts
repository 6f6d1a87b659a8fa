/** volume.rewrite(): one new log, with files and directories removed, moved, resized, and with their data moved together. */
import { mountFamfsOn, type RewriteChanges } from '../../../src/famfs/index.js';
import { memoryKinds } from '../../media/traced-backing.js';
import { uuids } from '../hosts.js';
import { both, drop, either, flushesBy, moveBefore, moveBehind, storesBy, within } from '../mutate.js';
import type { Bench, Mutant, Scope } from '../scope.js';
import {
  checkMedia,
  documentedNotes,
  oldVolume,
  owner,
  pattern,
  textOf,
  withVolume,
  writeMore,
} from '../volumes.js';

const MIB = 2 ** 20;
/** The same in every run, like the uuids. */
const BEGUN_MS = 1_600_000_000_000;
const LOG = within(2 * MIB, 10 * MIB);
const DATA = within(10 * MIB, 64 * MIB);
const MAGIC = within(0, 8);
const REST = within(8, 200);
const by = (caller: RegExp) => either(storesBy(caller), flushesBy(caller));
const not = (choice: ReturnType<typeof by>) => (event: Parameters<typeof choice>[0]) => !choice(event);
const packed = by(/storePacked/);
const record = by(/storeRecord/);
const decision = by(/decide/);
const newLog = both(by(/storeNewLog/), LOG);
const rest = both(by(/storeNewLog/), REST);
const done = both(by(/storeNewLog/), MAGIC);
const erasure = by(/erase/);

/** Notes about what a rewrite leaves that is cut short, besides what an append may leave. */
const notes = new Set([...documentedNotes, 'torn-rewrite']);

const mutants: readonly Mutant[] = [
  {
    name: 'packed-not-flushed',
    about: 'the packed new log is not flushed before it is the log',
    memory: 'pmem',
    change: (events) => drop(events, flushesBy(/storePacked/)),
  },
  {
    name: 'record-not-flushed',
    about: 'the record is not flushed before it counts',
    memory: 'pmem',
    change: (events) => drop(events, flushesBy(/storeRecord/)),
  },
  {
    name: 'decided-first',
    about: 'the record counts before the new log is packed',
    memory: 'shared',
    change: (events) => moveBefore(events, decision, packed),
  },
  {
    name: 'record-behind',
    about: 'the record is stored after it counts',
    memory: 'hosts',
    change: (events) => moveBehind(events, record, decision),
  },
  {
    name: 'decision-not-flushed',
    about: 'the decision is not flushed before the old log is overwritten',
    memory: 'pmem',
    change: (events) => drop(events, flushesBy(/decide/)),
  },
  {
    name: 'log-first',
    about: 'the old log is overwritten before the new one counts',
    memory: 'shared',
    change: (events) => moveBefore(events, newLog, decision),
  },
  {
    name: 'log-not-flushed',
    about: 'the new log is not flushed before the famfs magic is back',
    memory: 'pmem',
    change: (events) => drop(events, both(flushesBy(/storeNewLog/), LOG)),
  },
  {
    name: 'superblock-not-flushed',
    about: 'the rest of the superblock is not flushed before the famfs magic is back',
    memory: 'hosts',
    change: (events) => drop(events, both(flushesBy(/storeNewLog/), REST)),
  },
  {
    name: 'magic-early',
    about: 'the famfs magic is back before the new log is stored',
    memory: 'shared',
    change: (events) => moveBefore(events, done, newLog),
  },
  {
    name: 'magic-before-rest',
    about: 'the famfs magic is back before the rest of the superblock is stored',
    memory: 'shared',
    change: (events) => moveBefore(events, done, rest),
  },
  {
    name: 'erased-first',
    about: 'the record is erased before the new log is in place',
    memory: 'hosts',
    change: (events) => moveBefore(events, both(erasure, not(LOG)), newLog),
  },
];

/** Everybody sees the same: who only reads, another host, and the master, who completes what was cut short. */
function read({ device, other }: Bench): string {
  checkMedia(device, notes);
  const reader = mountFamfsOn(device, { readOnly: true });
  const seen = [textOf(reader)];
  reader.close();
  seen.push(withVolume(other, textOf));
  seen.push(withVolume(device, textOf));
  checkMedia(device, documentedNotes);
  const [first] = seen;
  if (seen.some((text) => text !== first)) throw new Error(`one medium is read as ${seen.join(' AND AS ')}`);
  return first!;
}

const base = {
  memories: memoryKinds,
  prepare: oldVolume,
  read,
  goOn: ({ device }: Bench, text: string) => writeMore(device, text),
};

async function rewrite({ device, mark }: Bench, changes: RewriteChanges): Promise<void> {
  const volume = mountFamfsOn(device);
  try {
    await volume.rewrite(changes, { othersAreGone: true, uuid: uuids.fresh.fileSystem, begunMs: BEGUN_MS });
    mark();
  } finally {
    volume.close();
  }
}

function prepareMore(bench: Bench): void {
  oldVolume(bench);
  withVolume(bench.device, (volume) => {
    volume.mkdir('/gone', owner);
    const file = volume.create('/gone/file', { size: 300, ...owner });
    file.write(pattern(300, 4), 0);
    file.close();
    volume.mkdir('/last', owner);
  });
}

export const rewriteRm: Scope = {
  ...base,
  name: 'rewrite-rm',
  about: 'a directory is removed with all that is in it',
  prepare: prepareMore,
  act: (bench) => rewrite(bench, { remove: ['/gone'], recursive: true }),
  mutants,
};

export const rewriteMv: Scope = {
  ...base,
  name: 'rewrite-mv',
  about: 'a directory moves into another that was made later, and a file replaces a file',
  prepare: prepareMore,
  act: (bench) =>
    rewrite(bench, {
      move: [
        ['/old', '/last/old'],
        ['/gone/file', '/last/old/file'],
      ],
    }),
  mutants: mutants.filter(({ name }) => /not-flushed|early|first/.test(name)),
};

const moved = both(by(/storePiece/), DATA);

export const truncate: Scope = {
  ...base,
  name: 'truncate',
  about: 'a file grows by two units of zeroes',
  act: (bench) => rewrite(bench, { resize: [['/old/file', 5 * MIB]] }),
  mutants: [
    {
      name: 'zeroes-not-flushed',
      about: 'the zeroes are not flushed before the new log names them',
      memory: 'pmem',
      change: (events) => drop(events, both(flushesBy(/storePiece/), DATA)),
    },
    {
      name: 'zeroes-behind',
      about: 'the new space is zeroed after the new log is the log',
      memory: 'shared',
      change: (events) => moveBehind(events, moved, decision),
    },
  ],
};

/** A file of two extents, with room for one behind it. */
async function prepareFragments(bench: Bench): Promise<void> {
  oldVolume(bench);
  const { device } = bench;
  const volume = mountFamfsOn(device);
  const make = (path: string, size: number, seed: number) => {
    const file = volume.create(path, { size, ...owner });
    file.write(pattern(1000, seed), 0);
    file.write(pattern(1000, seed + 1), size - 1000);
    file.close();
  };
  try {
    make('/a', 2000, 2);
    make('/b', 2000, 3);
    make('/c', 6 * MIB, 4);
    await volume.rewrite(
      { remove: ['/a'] },
      { othersAreGone: true, uuid: uuids.next.fileSystem, begunMs: BEGUN_MS },
    );
    make('/fragmented', 3 * MIB, 5);
    await volume.rewrite(
      { remove: ['/c'] },
      { othersAreGone: true, uuid: uuids.old.fileSystem, begunMs: BEGUN_MS },
    );
    if (volume.getmap('/fragmented').extents.length !== 2) throw new Error('the file is in one piece');
  } finally {
    volume.close();
  }
}

export const compact: Scope = {
  ...base,
  name: 'compact',
  about: 'a file of two extents moves into one',
  prepare: prepareFragments,
  act: (bench) => rewrite(bench, { defragment: true }),
  // Round after round, each whole: the same uuid here, and the same files.
  mutants: [
    {
      name: 'data-not-flushed',
      about: 'the data in its new place is not flushed before the new log names it',
      memory: 'hosts',
      change: (events) => drop(events, both(flushesBy(/storePiece/), DATA)),
    },
    {
      name: 'data-behind',
      about: 'the data is moved after the new log is the log',
      memory: 'shared',
      change: (events) => moveBehind(events, moved, decision),
    },
  ],
};
