/** Changes of published names: one record of the annex each, or a log entry and a record. */
import { mountFamfsOn } from '../../../src/famfs/index.js';
import { memoryKinds } from '../../media/traced-backing.js';
import { uuids } from '../hosts.js';
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
import { checkMedia, documentedNotes, oldVolume, owner, pattern, textOf, withVolume } from '../volumes.js';

const MIB = 2 ** 20;
/** The annex is made behind the only file of the old volume. */
const ANNEX = 12 * MIB;
const RECORDS = within(ANNEX + 4096, ANNEX + 2 * MIB);
const COUNTERS = within(ANNEX + 64, ANNEX + 128);
const APPEND = /annex-append[.]ts AnnexAppender[.]append/;
const recordStore = both(storesBy(APPEND), RECORDS);
const counterStores = both(storesBy(APPEND), COUNTERS);
const MAKE = /annex-writer[.]ts AnnexWriter[.]#?make/;
const LOG_APPEND = /media[/]append[.]ts LogAppender[.]append/;

const recordMutants: readonly Mutant[] = [
  {
    name: 'counters-with-record',
    about: 'both counters stored before the record is durable, all flushed at the end',
    memory: 'pmem',
    change: (events) => moveBehind(events, both(flushesBy(APPEND), RECORDS), counterStores),
  },
  {
    name: 'no-record-flush',
    about: 'the record is not flushed',
    memory: 'pmem',
    change: (events) => drop(events, both(flushesBy(APPEND), RECORDS)),
  },
  {
    name: 'no-counter-flush',
    about: 'the counters are not flushed',
    memory: 'hosts',
    change: (events) => drop(events, both(flushesBy(APPEND), COUNTERS)),
  },
  {
    name: 'no-fence',
    about: 'no fence between the record and the counters',
    memory: 'hosts',
    change: (events) => {
      const first = events.findIndex((event) => fencesBy(APPEND)(event));
      return events.filter((_, i) => i !== first);
    },
  },
  {
    name: 'counters-first',
    about: 'the counters are stored before the record',
    memory: 'shared',
    change: (events) => moveBefore(events, counterStores, recordStore),
  },
];

/** Notes about states that a crash may leave, and that the next writer repairs, or a rewrite. */
const lasting: ReadonlySet<string> = new Set(['annex-nameless']);
const notes: ReadonlySet<string> = new Set([...documentedNotes, ...lasting, 'torn-annex-append']);

function read({ device }: Bench): string {
  checkMedia(device, notes);
  return withVolume(device, textOf);
}

/** A writer after the crash changes names too, and everything else must stay. */
function goOn({ device }: Bench, before: string): void {
  const after = withVolume(device, (volume) => {
    volume.mkdir('/next', owner);
    volume.symlink('next', '/next/link');
    volume.create('/next/file', { size: 100, ...owner }).close();
    volume.rename('/next/file', '/next/renamed');
    return textOf(volume);
  });
  checkMedia(device, lasting);
  const rows = new Set(after.split('; '));
  const gone = before.split('; ').find((row) => !rows.has(row));
  if (gone !== undefined) throw new Error(`the next writer lost '${gone}'`);
}

/** An old volume that has an annex. */
function prepareAnnex(bench: Bench): void {
  oldVolume(bench);
  withVolume(bench.device, (volume) => {
    volume.symlink('old', '/link', owner);
    volume.create('/second', { size: 300, ...owner }).close();
  });
}

const base = { memories: memoryKinds, read, goOn };

export const annexNames: Scope = {
  ...base,
  name: 'annex',
  about: 'rename over a file, link, unlink, symlink, exchange, chmod: one record each',
  prepare: prepareAnnex,
  act({ device, mark }) {
    withVolume(device, (volume) => {
      volume.link('/old/file', '/hard');
      mark();
      volume.rename('/second', '/old/file');
      mark();
      volume.symlink(
        'hard',
        '/a-link-with-a-name-that-is-long-enough-for-a-record-of-three-lines-of-the-cache',
        owner,
      );
      mark();
      volume.rename('/hard', '/link', { exchange: true });
      mark();
      volume.unlink('/link');
      mark();
      volume.chmod('/old/file', 0o600);
      mark();
    });
  },
  mutants: recordMutants,
};

export const annexFirst: Scope = {
  ...base,
  name: 'annex-first',
  about: 'the first change of a name: the annex is made',
  prepare: oldVolume,
  act({ device, mark }) {
    withVolume(device, (volume) => {
      volume.unlink('/old/file');
      mark();
    });
  },
  mutants: [
    {
      name: 'header-not-flushed',
      about: 'the header of the annex is not flushed before the log names it',
      memory: 'pmem',
      change: (events) => drop(events, flushesBy(MAKE)),
    },
    {
      name: 'named-first',
      about: 'the log names the annex before its header is stored',
      memory: 'shared',
      change: (events) =>
        moveBehind(events, both(storesBy(MAKE), within(ANNEX, ANNEX + 4096)), storesBy(LOG_APPEND)),
    },
  ],
};

/** Fills the annex, but for fewer slots than a change takes: attributes of 64 KiB first, then smaller ones. */
function fillAnnex(bench: Bench): void {
  withVolume(bench.device, (volume) => {
    const { ino } = volume.stat('/second');
    for (let bytes = 65_536; bytes >= 1; bytes = Math.floor(bytes / 2)) {
      const { annexSlots, annexUsed } = volume.statfs();
      for (let left = annexSlots - annexUsed; left > bytes / 64 + 6; left -= Math.ceil(bytes / 64) + 2)
        volume.inodes.setXattr(ino, 'user.filler', new Uint8Array(bytes));
    }
  });
}

export const annexNext: Scope = {
  ...base,
  name: 'annex-next',
  about: 'changes of names go on when the annex is full: a second one is made',
  prepare(bench) {
    prepareAnnex(bench);
    fillAnnex(bench);
  },
  act({ device, mark }) {
    withVolume(device, (volume) => {
      for (const name of ['/one', '/two', '/three', '/four']) {
        volume.symlink('old', name, owner);
        mark();
      }
      if (volume.statfs().annexSlots < 40_000) throw new Error('the first annex was not full');
    });
  },
  mutants: [
    {
      name: 'next-header-not-flushed',
      about: 'the header of the second annex is not flushed before the log names it',
      memory: 'pmem',
      change: (events) => drop(events, flushesBy(MAKE)),
    },
  ],
};

export const annexReplace: Scope = {
  ...base,
  name: 'annex-replace',
  about:
    'a name that was removed is made again, and a file gets other bytes: a log entry, then the record that gives it its place',
  prepare: prepareAnnex,
  act({ device, mark }) {
    withVolume(device, (volume) => {
      volume.unlink('/second');
      mark();
      volume.put('/second', pattern(400, 3), { mode: 0o640 });
      mark();
      volume.truncate('/old/file', 100);
      mark();
    });
  },
  mutants: [
    {
      name: 'data-not-flushed',
      about: 'the new bytes are not flushed before the file has them',
      memory: 'pmem',
      change: (events) => drop(events, flushesBy(/flushData/)),
    },
  ],
};

export const rewriteAnnex: Scope = {
  ...base,
  name: 'rewrite-annex',
  about: 'a rewrite folds the annex into the new log, and leaves a fresh one',
  prepare(bench) {
    prepareAnnex(bench);
    withVolume(bench.device, (volume) => {
      volume.link('/second', '/also');
      volume.rename('/old/file', '/moved');
      volume.create('/gone', { size: 10, ...owner }).close();
      volume.unlink('/gone');
    });
  },
  read(bench) {
    checkMedia(bench.device, new Set([...notes, 'torn-rewrite']));
    return withVolume(bench.device, textOf);
  },
  async act({ device, mark }) {
    const volume = mountFamfsOn(device);
    try {
      await volume.rewrite({}, { othersAreGone: true, uuid: uuids.fresh.fileSystem });
      mark();
    } finally {
      volume.close();
    }
  },
  mutants: [
    {
      name: 'annex-not-flushed',
      about: 'the fresh annex is not flushed before the new log counts',
      memory: 'pmem',
      change: (events) => drop(events, flushesBy(/storeAnnex/)),
    },
    {
      name: 'annex-behind',
      about: 'the fresh annex is stored after the new log counts',
      memory: 'shared',
      change: (events) =>
        moveBehind(events, storesBy(/storeAnnex/), either(storesBy(/decide/), flushesBy(/decide/))),
    },
  ],
};
