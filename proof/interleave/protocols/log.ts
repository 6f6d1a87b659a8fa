/** The log: its lock, appends, readers that refresh meanwhile, and reserved space. */
import type { Volume } from '../../../src/index.js';
import type { Actor, Protocol, Told } from '../types.js';
import { codeOf, type Mounted, onVolume, succeeded, textOf, wrongContent } from './opening.js';

const mkdir = (path: string) => (volume: Volume, run: number) => volume.mkdir(`${path}${run}`);

function create(volume: Volume, path: string): void {
  const file = volume.create(path, { size: path.length });
  file.write(Buffer.from(path), 0);
  file.close();
}

/** Exactly one process must get the name, and the other must be refused. */
function oneOf(told: readonly Told[], codes: readonly string[]): string[] {
  if (succeeded(told) !== 1) return [`${succeeded(told)} of 2 were told that the one name is theirs`];
  const refused = told.find(({ error }) => error)!;
  return codes.includes(codeOf(refused)!) ? [] : [`refused as ${codeOf(refused)}: ${refused.error!.message}`];
}

const appendAppend: Protocol = {
  name: 'append-append',
  about: 'two processes append to the log',
  hosts: 1,
  actors: [onVolume(mkdir('/a')), onVolume(mkdir('/b'))],
  judge: ({ volume, run }) =>
    [`/a${run}`, `/b${run}`].filter((path) => !volume.exists(path)).map((path) => `${path} was lost`),
};

const sameName: Protocol = {
  name: 'create-same-name',
  about: 'two processes make the same name',
  hosts: 1,
  actors: [onVolume(mkdir('/x')), onVolume((volume, run) => create(volume, `/x${run}`))],
  allowed: ['EEXIST'],
  judge: ({ volume, run, told }) => [
    ...oneOf(told, ['EEXIST']),
    ...(volume.exists(`/x${run}`) ? [] : [`/x${run} was lost`]),
  ],
};

const createCreate: Protocol = {
  name: 'create-create',
  about: 'two processes take space and make files',
  hosts: 1,
  runsInWorld: 60,
  actors: [
    onVolume((volume, run) => create(volume, `/a${run}`)),
    onVolume((volume, run) => create(volume, `/b${run}`)),
  ],
  judge: ({ volume, run }) => [`/a${run}`, `/b${run}`].flatMap((path) => wrongContent(volume, path, path)),
};

/** What a reader finds: the names, and the files' text. */
function readerOf(path: (run: number) => string) {
  return (volume: Volume, run: number) => {
    volume.refresh();
    const problems = volume.problems.map(({ message }) => message);
    const isThere = volume.exists(path(run));
    if (!isThere || volume.stat(path(run)).isDirectory()) return { isThere, problems, text: null };
    const file = volume.open(path(run));
    try {
      return { isThere, problems, text: textOf(file) };
    } finally {
      file.close();
    }
  };
}

/** A reader that looks while the other process works, and once more when both are done. */
function reader(path: (run: number) => string): Actor<Mounted> {
  const look = readerOf(path);
  return { ...onVolume(look), after: ({ volume }, run) => look(volume, run) };
}

function missedByReader(told: Told): string[] {
  const { isThere, problems } = told.after as { isThere: boolean; problems: string[] };
  const missed = isThere ? [] : ['the reader does not see what was published before it refreshed'];
  return [...missed, ...problems.map((problem) => `the reader still sees: ${problem}`)];
}

function sawProblems(told: Told): string[] {
  const seen = told.value as { problems: string[] } | undefined;
  return seen?.problems.map((problem) => `the reader saw half a thing: ${problem}`) ?? [];
}

const appendRefresh: Protocol = {
  name: 'append-refresh',
  about: 'one appends, one refreshes and looks',
  hosts: 1,
  actors: [onVolume(mkdir('/a')), reader((run) => `/a${run}`)],
  judge: ({ volume, run, told }) => [
    ...sawProblems(told[1]),
    ...missedByReader(told[1]),
    ...(volume.exists(`/a${run}`) ? [] : [`/a${run} was lost`]),
  ],
};

function wholeOrAbsent(told: Told, text: string): string[] {
  const seen = told.value as { isThere: boolean; text: string | null } | undefined;
  if (!seen?.isThere || seen.text === text) return [];
  return [`the reader read '${seen.text}' of a file that was published with '${text}'`];
}

const copyRead: Protocol = {
  name: 'copy-refresh',
  about: 'one copies a file in, one reads it as soon as it appears',
  hosts: 1,
  runsInWorld: 60,
  actors: [
    onVolume((volume, run) => volume.writeFile(`/c${run}`, Buffer.from(`content ${run}`))),
    reader((run) => `/c${run}`),
  ],
  judge: ({ volume, run, told }) => [
    ...sawProblems(told[1]),
    ...missedByReader(told[1]),
    ...wholeOrAbsent(told[1], `content ${run}`),
    ...wrongContent(volume, `/c${run}`, `content ${run}`),
  ],
};

const growing: Protocol = {
  name: 'growing-publish',
  about: 'a growing file is written and published, another makes a file and the same name',
  hosts: 1,
  runsInWorld: 40,
  actors: [
    onVolume(async (volume, run) => {
      const stream = volume.createWriteStream(`/g${run}`);
      const finished = new Promise<void>((resolve, reject) =>
        stream.once('finish', resolve).once('error', reject),
      );
      stream.end(Buffer.from(`grown ${run}`));
      await finished;
    }),
    onVolume((volume, run) => {
      create(volume, `/other${run}`);
      volume.mkdir(`/g${run}`);
    }),
  ],
  allowed: ['EEXIST', 'EBUSY'],
  judge: ({ volume, run, told }) => [
    ...oneOf(told, ['EEXIST', 'EBUSY']),
    ...wrongContent(volume, `/other${run}`, `/other${run}`),
    ...(told[0].error ? [] : wrongContent(volume, `/g${run}`, `grown ${run}`)),
  ],
};

const hostsRefresh: Protocol = {
  name: 'hosts-refresh',
  about: 'two hosts without common caches: the master copies a file in, the client refreshes and reads it',
  hosts: 2,
  runsInWorld: 40,
  actors: [
    onVolume((volume, run) => volume.writeFile(`/c${run}`, Buffer.from(`content ${run}`))),
    reader((run) => `/c${run}`),
  ],
  judge: ({ volume, run, told }) => [
    ...sawProblems(told[1]),
    ...missedByReader(told[1]),
    ...wholeOrAbsent(told[1], `content ${run}`),
    ...wrongContent(volume, `/c${run}`, `content ${run}`),
  ],
};

export const logProtocols = [
  appendAppend,
  sameName,
  createCreate,
  appendRefresh,
  copyRead,
  growing,
  hostsRefresh,
];
