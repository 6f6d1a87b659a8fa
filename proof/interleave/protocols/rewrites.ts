/** volume.rewrite() beside readers: they see the old log or the new one, or ESTALE, and never bytes of another file. */

import { type Machine, mountFamfs, type Volume } from '../../../src/index.js';
import { hasCode } from '../../../src/libc/index.js';
import type { Actor, Protocol, Told } from '../types.js';
import { closeMounted, type Mounted, onMachine, openMounted, textOf } from './opening.js';

/** Makes a file that holds its own path, and removes the one of the last run, whose space the next run's file gets. */
async function replaceFile(volume: Volume, run: number): Promise<void> {
  const old = volume.readdir('/').map((name) => `/${name}`);
  const path = `/g${run}`;
  await volume.writeFile(path, Buffer.from(path));
  await volume.rewrite({ remove: old }, { othersAreGone: true });
}

/** What is wrong with the files that a reader finds: each must hold its path. */
function wrongFiles(volume: Volume): string[] {
  return volume.readdir('/').flatMap((name) => {
    const file = volume.open(`/${name}`);
    try {
      const text = textOf(file);
      return text === `/${name}` ? [] : [`/${name} holds '${text}'`];
    } finally {
      file.close();
    }
  });
}

async function onDevice<T>(machine: Machine, use: (volume: Volume) => T | Promise<T>): Promise<T> {
  const volume = mountFamfs(machine.device('dax0.0'));
  try {
    return await use(volume);
  } finally {
    volume.close();
  }
}

function setUp(volume: Volume): void {
  const file = volume.create('/g', { size: 2 });
  file.write(Buffer.from('/g'), 0);
  file.close();
}

function sawWrong({ value }: Told): string[] {
  return ((value as string[] | undefined) ?? []).map((what) => `the reader found: ${what}`);
}

function judged(volume: Volume, run: number, told: Told): string[] {
  const names = volume.readdir('/');
  const isDone = told.error === undefined;
  const missing =
    isDone && !(names.length === 1 && names[0] === `g${run}`) ? [`done, and there is ${names.join()}`] : [];
  return [...missing, ...wrongFiles(volume)];
}

const rewriteMount: Protocol = {
  name: 'rewrite-mount',
  about: 'one rewrites the log, another process of the host mounts and reads',
  hosts: 1,
  runsInWorld: 40,
  setUp,
  actors: [
    onMachine((machine, run) => onDevice(machine, (volume) => replaceFile(volume, run))),
    onMachine((machine) => onDevice(machine, wrongFiles)),
  ],
  // The rewriter needs the device alone.
  allowed: ['EBUSY'],
  judge: ({ volume, run, told }) => [...judged(volume, run, told[0]), ...sawWrong(told[1])],
};

/** A reader of another host that has the old log mounted. Once that is ESTALE it mounts again. */
const reader: Actor<Mounted> = {
  open: (world, me) => openMounted(world, me),
  run: ({ volume }) => {
    volume.refresh();
    return wrongFiles(volume);
  },
  after: (state) => {
    try {
      state.volume.refresh();
    } catch (error) {
      if (!hasCode(error, 'ESTALE')) throw error;
      state.volume.close();
      state.volume = mountFamfs(state.machine.device('dax0.0'));
    }
    return wrongFiles(state.volume);
  },
  close: closeMounted,
};

const rewriteHosts: Protocol = {
  name: 'rewrite-hosts',
  about: 'the master rewrites the log, a client of another host without common caches refreshes and reads',
  hosts: 2,
  runsInWorld: 30,
  setUp,
  actors: [onMachine((machine, run) => onDevice(machine, (volume) => replaceFile(volume, run))), reader],
  allowed: ['ESTALE'],
  judge: ({ volume, run, told }) => [
    ...judged(volume, run, told[0]),
    ...sawWrong(told[1]),
    ...sawWrong({ ...told[1], value: told[1].after }),
  ],
};

export const rewriteProtocols = [rewriteMount, rewriteHosts];
