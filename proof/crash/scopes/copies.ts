/** copyIn, writeFile and streams: files that become visible together with their bytes. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { mountFamfsOn, type Volume } from '../../../src/famfs/index.js';
import { memoryKinds } from '../../media/traced-backing.js';
import { both, drop, either, flushesBy, moveBefore, moveBehind, storesBy, within } from '../mutate.js';
import type { Bench, Mutant, Scope } from '../scope.js';
import {
  checkMedia,
  documentedNotes,
  oldVolume,
  owner,
  pattern,
  readVolume,
  textOf,
  withVolume,
  writeMore,
} from '../volumes.js';

const MIB = 2 ** 20;
const COPY_BYTES = 700;
const DATA = within(10 * MIB, 64 * MIB);
const APPEND = /append[.]ts LogAppender[.]append/;
const appended = storesBy(APPEND);
const dataFlush = both(flushesBy(/flushData/), DATA);

const mutants: readonly Mutant[] = [
  {
    name: 'publish-before-flush',
    about: 'the entry is published before the data it names is flushed',
    memory: 'pmem',
    change: (events) => moveBehind(events, dataFlush, either(appended, flushesBy(APPEND))),
  },
  {
    name: 'data-not-flushed',
    about: 'the data is not flushed at all',
    memory: 'hosts',
    change: (events) => drop(events, dataFlush),
  },
  {
    name: 'entry-first',
    about: 'the entry is published before the data is stored',
    memory: 'shared',
    change: (events) =>
      moveBefore(
        events,
        appended,
        both((event) => event.kind === 'store', DATA),
      ),
  },
];

const base = {
  memories: memoryKinds,
  prepare: oldVolume,
  read: ({ device }: Bench) => readVolume(device),
  goOn: ({ device }: Bench, text: string) => writeMore(device, text),
};

async function onVolume({ device }: Bench, use: (volume: Volume) => Promise<void>): Promise<void> {
  const volume = mountFamfsOn(device);
  try {
    await use(volume);
  } finally {
    volume.close();
  }
}

const withHostFile = (bytes: Uint8Array, use: (file: string) => Promise<void>): Promise<void> =>
  withHostFiles([bytes], ([file]) => use(file!));

async function withHostFiles(
  contents: readonly Uint8Array[],
  use: (files: readonly string[]) => Promise<void>,
): Promise<void> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-proof-'));
  try {
    const files = contents.map((bytes, i) => {
      const file = path.join(directory, `source${i}`);
      fs.writeFileSync(file, bytes);
      return file;
    });
    await use(files);
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
}

export const copyIn: Scope = {
  ...base,
  name: 'copyIn',
  about: 'Volume.copyIn of a host file',
  act: (bench) =>
    withHostFile(pattern(COPY_BYTES, 5), (file) =>
      onVolume(bench, async (volume) => {
        await volume.copyIn(file, '/copied', { mode: 0o640, ...owner });
        bench.mark();
      }),
    ),
  mutants,
};

export const copyManyIn: Scope = {
  ...base,
  name: 'copyManyIn',
  about: 'Volume.copyManyIn of two small host files, under one hold of the log: none, the first, or both',
  act: (bench) =>
    withHostFiles([pattern(COPY_BYTES, 5), pattern(90, 6)], (files) =>
      onVolume(bench, async (volume) => {
        const copies = files.map((source, i) => ({ source, destination: `/many${i}` }));
        await volume.copyManyIn(copies, { mode: 0o640, ...owner });
        bench.mark();
      }),
    ),
  alsoAllowed: /[/]many0 file (?!.*[/]many1)/,
  mutants,
};

export const writeFile: Scope = {
  ...base,
  name: 'writeFile',
  about: 'Volume.writeFile of bytes',
  act: (bench) =>
    onVolume(bench, async (volume) => {
      await volume.writeFile('/written', pattern(COPY_BYTES, 6), { mode: 0o640, ...owner });
      bench.mark();
    }),
  mutants: mutants.slice(0, 2),
};

export const stream: Scope = {
  ...base,
  name: 'stream',
  about: 'Volume.writeFile of pieces that come one by one',
  act: (bench) =>
    onVolume(bench, async (volume) => {
      const pieces = [pattern(100, 7), pattern(333, 8), pattern(80, 9)];
      await volume.writeFile('/streamed', pieces, { mode: 0o640, ...owner });
      bench.mark();
    }),
  mutants: mutants.slice(0, 2),
};

const OLD = pattern(200, 1);
const NEW = pattern(200, 10);
const WORD = 8;

/** The text of a volume. For the file that is overwritten: old, new, or a mixture of their words. */
function readOverwritten({ device }: Bench): string {
  checkMedia(device, documentedNotes);
  return withVolume(device, (volume) => {
    const bytes = new Uint8Array(200);
    const file = volume.open('/old/file');
    file.read(bytes, 0);
    file.close();
    const isAs = (wanted: Uint8Array, at: number) =>
      Buffer.compare(bytes.subarray(at, at + WORD), wanted.subarray(at, at + WORD)) === 0;
    const words = Array.from({ length: bytes.length / WORD }, (_, i) => i * WORD);
    if (words.every((at) => isAs(OLD, at) || isAs(NEW, at))) {
      const mixed = words.some((at) => !isAs(OLD, at)) && words.some((at) => !isAs(NEW, at));
      return `${mixed ? 'mixed' : isAs(NEW, 0) ? 'new' : 'old'}: ${textOf(volume).replace(/file (\d+ \d+ \S+) \w+$/, 'file $1')}`;
    }
    throw new Error('the file that was overwritten has bytes that are neither old nor new');
  });
}

export const overwrite: Scope = {
  ...base,
  name: 'overwrite',
  about: 'copyIn onto a file of the same size: in place, so its words may be old and new until it returns',
  act: (bench) =>
    withHostFile(NEW, (file) =>
      onVolume(bench, async (volume) => {
        await volume.copyIn(file, '/old/file', owner);
        bench.mark();
      }),
    ),
  read: readOverwritten,
  alsoAllowed: /^mixed: /,
  goOn: ({ device }, text) =>
    writeMore(device, text.slice(text.indexOf(' ') + 1).replace(/; \/old\/file.*/, '')),
  mutants: [
    {
      name: 'data-not-flushed',
      about: 'the data is not flushed before copyIn returns',
      memory: 'pmem',
      change: (events) => drop(events, both(flushesBy(/copyFileIn/), DATA)),
    },
  ],
};
