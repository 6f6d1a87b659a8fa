/** Names that are taken away, moved and given anew by records of the annex, while another process looks or does the same. */
import type { Volume } from '../../../src/index.js';
import type { Actor, Protocol, Told } from '../types.js';
import { codeOf, type Mounted, onVolume, succeeded, textOf, wrongContent } from './opening.js';

const RUNS = 60;
/** Runs whose files take space that only a rewrite gives back. */
const RUNS_WITH_FILES = 25;

/** A directory for each run: it takes no space. */
function makeDirectories(volume: Volume): void {
  for (let run = 0; run <= RUNS; run++) volume.mkdir(`/f${run}`);
}

const rename = (to: string) => (volume: Volume, run: number) => volume.rename(`/f${run}`, `/${to}${run}`);

/** Which of the names there are, of one refresh. */
function namesOf(...names: string[]) {
  return (volume: Volume, run: number) => {
    volume.refresh();
    return {
      there: names.filter((name) => volume.exists(`/${name}${run}`)),
      problems: volume.problems.map(({ message }) => message),
    };
  };
}

function reader(...names: string[]): Actor<Mounted> {
  const look = namesOf(...names);
  return { ...onVolume(look), after: ({ volume }, run) => look(volume, run) };
}

interface Seen {
  there: string[];
  problems: string[];
}

/** A name that moves is at one place or at the other, and afterwards at the new one. */
function judgeMove({ value, after }: Told): string[] {
  const seen = value as Seen | undefined;
  const last = after as Seen;
  return [
    ...(seen && seen.there.length !== 1
      ? [`the reader saw ${seen.there.join(' and ') || 'neither name'}`]
      : []),
    ...(last.there.join() === 'g'
      ? []
      : [`afterwards the reader sees ${last.there.join(' and ') || 'no name'}`]),
    ...[...(seen?.problems ?? []), ...last.problems].map(
      (problem) => `the reader saw half a thing: ${problem}`,
    ),
  ];
}

const renameRefresh: Protocol = {
  name: 'rename-refresh',
  about: 'one renames, one refreshes and looks: it sees one of the two names',
  hosts: 1,
  runsInWorld: RUNS,
  setUp: makeDirectories,
  actors: [onVolume(rename('g')), reader('f', 'g')],
  judge: ({ told }) => judgeMove(told[1]),
};

const renameHosts: Protocol = {
  ...renameRefresh,
  name: 'rename-hosts',
  about: 'the same between two hosts without common caches',
  hosts: 2,
};

/** What one process was told is so, and the other was refused. */
function oneWon(told: readonly Told[], codes: readonly string[]): string[] {
  if (succeeded(told) !== 1) return [`${succeeded(told)} of 2 were told that they did it`];
  const refused = told.find(({ error }) => error)!;
  return codes.includes(codeOf(refused)!) ? [] : [`refused as ${codeOf(refused)}: ${refused.error!.message}`];
}

const renameRename: Protocol = {
  name: 'rename-rename',
  about: 'two processes move one name to two places',
  hosts: 1,
  runsInWorld: RUNS,
  setUp: makeDirectories,
  actors: [onVolume(rename('g')), onVolume(rename('h'))],
  allowed: ['ENOENT'],
  judge: ({ volume, run, told }) => {
    const [won, lost] = told[0].error ? ['h', 'g'] : ['g', 'h'];
    return [
      ...oneWon(told, ['ENOENT']),
      ...(volume.exists(`/${won}${run}`) ? [] : [`/${won}${run} was told and is not there`]),
      ...[lost, 'f']
        .filter((name) => volume.exists(`/${name}${run}`))
        .map((name) => `/${name}${run} is there too`),
    ];
  },
};

const removeMake: Protocol = {
  name: 'rmdir-mkdir',
  about: 'one removes a directory, one makes a directory in it',
  hosts: 1,
  runsInWorld: RUNS,
  setUp: makeDirectories,
  actors: [
    onVolume((volume, run) => volume.rmdir(`/f${run}`)),
    onVolume((volume, run) => volume.mkdir(`/f${run}/in`)),
  ],
  allowed: ['ENOENT', 'ENOTEMPTY'],
  judge: ({ volume, run, told }) => [
    ...oneWon(told, [told[0].error ? 'ENOTEMPTY' : 'ENOENT']),
    ...(volume.exists(`/f${run}/in`) === (told[1].error === undefined) ? [] : ['what was told is not so']),
  ],
};

const linkLink: Protocol = {
  name: 'symlink-symlink',
  about: 'two processes make symbolic links of one name',
  hosts: 1,
  runsInWorld: RUNS,
  actors: [
    onVolume((volume, run) => volume.symlink('a', `/l${run}`)),
    onVolume((volume, run) => volume.symlink('b', `/l${run}`)),
  ],
  allowed: ['EEXIST'],
  judge: ({ volume, run, told }) => {
    const target = volume.readlink(`/l${run}`);
    const won = told[0].error ? 'b' : 'a';
    return [
      ...oneWon(told, ['EEXIST']),
      ...(target === won ? [] : [`the link leads to ${target}, ${won} was told`]),
    ];
  },
};

const firstRecords: Protocol = {
  name: 'annex-made',
  about: 'two processes rename where there is no annex yet: both need the first one',
  hosts: 1,
  runsInWorld: 1,
  setUp(volume) {
    for (const name of ['a', 'b']) for (let run = 0; run < RUNS; run++) volume.mkdir(`/${name}${run}`);
  },
  actors: [
    onVolume((volume, run) => volume.rename(`/a${run}`, `/c${run}`)),
    onVolume((volume, run) => volume.rename(`/b${run}`, `/d${run}`)),
  ],
  judge: ({ volume, run }) =>
    ['a', 'b', 'c', 'd']
      .filter((name) => volume.exists(`/${name}${run}`) !== name > 'b')
      .map((name) => `/${name}${run} is ${name > 'b' ? 'not there' : 'still there'}`),
};

const text = (run: number) => `content of run ${run}`;

async function replace(volume: Volume, run: number): Promise<void> {
  await volume.writeFile(`/new${run}`, Buffer.from(text(run)));
  volume.rename(`/new${run}`, '/file');
}

function readFile(volume: Volume): string {
  volume.refresh();
  const file = volume.open('/file');
  try {
    return textOf(file);
  } finally {
    file.close();
  }
}

/** A reader of a file that is replaced each run: it has the bytes before or those after, whole. */
function replaced(hosts: 1 | 2, name: string, about: string): Protocol {
  return {
    name,
    about,
    hosts,
    runsInWorld: RUNS_WITH_FILES,
    setUp(volume) {
      const file = volume.create('/file', { size: 5 });
      file.write(Buffer.from('first'), 0);
      file.close();
    },
    actors: [
      onVolume(replace),
      { ...onVolume(readFile), after: ({ volume }: Mounted) => readFile(volume) } satisfies Actor<Mounted>,
    ],
    judge: ({ volume, run, told }) => {
      const seen = told[1].value as string | undefined;
      const isWhole = seen === undefined || seen === 'first' || /^content of run \d+$/.test(seen);
      const isOlder = seen !== undefined && seen !== text(run) && told[1].after !== text(run);
      return [
        ...(isWhole ? [] : [`the reader read '${seen}'`]),
        ...(isOlder || told[1].after !== text(run) ? [`afterwards it reads '${told[1].after}'`] : []),
        ...wrongContent(volume, '/file', text(run)),
        ...(volume.exists(`/new${run}`) ? [`/new${run} is still there`] : []),
      ];
    },
  };
}

export const nameProtocols = [
  renameRefresh,
  renameHosts,
  renameRename,
  removeMake,
  linkLink,
  firstRecords,
  replaced(1, 'replace-read', 'one renames a new file over another one, one reads that by its name'),
  replaced(2, 'replace-hosts', 'the same between two hosts without common caches'),
];
