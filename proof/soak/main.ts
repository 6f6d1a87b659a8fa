/** npm run soak: see README.md. */
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createQueue, fsck, mkfs, mountFamfs, openMachine } from '../../src/index.js';
import { QUEUE, SCRATCH_DEVICE } from '../kill/work.js';
import { Child } from '../steps/pipes.js';
import { finish, type Row, toolArguments } from '../steps/tool.js';
import { makeMachine, memoryDirectory, privateTmpfs, removeDirectories, usedBytes } from '../steps/world.js';
import type { Answer, ChildConfig, Word } from './child.js';
import { type Figure, type Figures, risingFigures, slopeOf } from './figures.js';
import { controls } from './leaks.js';
import { knownSlopes, roles } from './roles.js';

const HELP = `Everything at once, then nothing may be left (proof/soak/README.md)

  --minutes N      how long (default 30)
  --short          about 20 seconds
  --seed N         of the choices (default 1)
  --json  --save   results as JSON; into proof/results/soak.json`;

const given = toolArguments(HELP, { minutes: { type: 'string' }, short: { type: 'boolean' } });
const seed = Number(given.seed ?? 1);
const totalMs = given.short ? 0 : Number(given.minutes ?? 30) * 60_000;
const epochMs = given.short ? 500 : Math.min(20_000, totalMs / 20);
/** Epochs that are not judged: code and caches take memory once, which is no leak. */
const WARM_UP = given.short ? 1 : 4;
const LEAST_EPOCHS = given.short ? 5 : 12;
const MIB = 2 ** 20;
const SIZES = [1024 * MIB, 128 * MIB, 256 * MIB];

interface Process {
  name: string;
  child: Child;
  epochs: Figures[];
  operations: number;
}

const findings: string[] = [];
const directory = memoryDirectory('soak');
const tmpfs = privateTmpfs(directory, 2048);
const place = tmpfs ?? directory;
const usedBefore = usedBytes(place);
const root = path.join(place, 'machine');

function makeWorld(): void {
  makeMachine({ root, sizes: SIZES });
  const machine = openMachine(root);
  machine.reconfigure(SCRATCH_DEVICE, 'famfs');
  mkfs(machine.device(SCRATCH_DEVICE));
  machine.close();
  freshVolume();
}

/** While no process uses the device: makes an empty file system and the queue. */
function freshVolume(): void {
  const machine = openMachine(root);
  const report = fsck(machine.device('dax0.0'));
  for (const { message } of [...report.errors, ...report.notes])
    findings.push(`fsck between epochs: ${message}`);
  mkfs(machine.device('dax0.0'), { force: true });
  const volume = mountFamfs(machine.device('dax0.0'));
  createQueue(volume, QUEUE, { nbuckets: 8, bucketSize: 64 });
  volume.close();
  machine.close();
}

function start(role: string, index: number): Process {
  const config: ChildConfig = { role, directory, memory: root, root, index, seed: seed * 1000 + index };
  const child = new Child({
    directory,
    name: role,
    script: fileURLToPath(new URL('./child.js', import.meta.url)),
    config,
    nodeFlags: ['--expose-gc'],
  });
  return { name: role, child, epochs: [], operations: 0 };
}

/** Lets all processes work for one epoch. Afterwards all are idle. */
async function epoch(processes: readonly Process[]): Promise<void> {
  for (const { child } of processes) child.say({ epochMs } satisfies Word);
  for (const process of processes) {
    const answer = process.child.hear(epochMs + 120_000) as Answer;
    process.epochs.push(answer.figures);
    process.operations += answer.operations;
    for (const error of answer.errors) findings.push(`${process.name}: ${error}`);
  }
  freshVolume();
  await new Promise((resolve) => setImmediate(resolve));
}

const WORTH_A_ROW: readonly Figure[] = [
  'heapUsed',
  'external',
  'arrayBuffers',
  'rss',
  'descriptors',
  'mappings',
];

function rowOf({ name, epochs, operations }: Process): Row {
  const figures: Row['figures'] = { operations };
  for (const figure of WORTH_A_ROW)
    figures[`${figure}, slope an epoch`] = Math.round(slopeOf(epochs.map((one) => one[figure])));
  return { what: name, figures };
}

/** Reports what rose since the first epochs, and locks and mappings that should be gone. */
function judge({ name, epochs }: Process): string[] {
  const rising = risingFigures(epochs, knownSlopes[name]).map(
    ({ figure, slope }) =>
      `${figure} rises by ${Math.round(slope)} an epoch: ${epochs.map((one) => one[figure]).join(' ')}`,
  );
  const first = epochs[0]!;
  const last = epochs.at(-1)!;
  if (last.descriptors > first.descriptors)
    rising.push(`descriptors: ${first.descriptors} at first, ${last.descriptors} at the end`);
  for (const figure of ['locks', 'memoryMappings'] as const) {
    if (last[figure] > 0) rising.push(`${last[figure]} ${figure} are left`);
  }
  return rising.map((problem) => `${name}: ${problem}`);
}

/** Checks that the leaks of a control were flagged, all of them when it has several. */
function judgeControl({ name, epochs }: Process): Row {
  const rising = risingFigures(epochs);
  const missed = controls[name]!.figures.filter((figure) => !rising.some((one) => one.figure === figure));
  for (const figure of missed) {
    findings.push(
      `the control ${name} was not flagged for ${figure}: ${epochs.map((one) => one[figure]).join(' ')}`,
    );
  }
  return {
    what: `control ${name}`,
    figures: {
      'leaks flagged': `${controls[name]!.figures.length - missed.length} of ${controls[name]!.figures.length}`,
    },
  };
}

const processes: Process[] = [];
const rows: Row[] = [];
try {
  makeWorld();
  const names = Object.keys(roles).filter((name) => name !== 'server' || fs.existsSync('/dev/fuse'));
  const leaks = given.short ? ['leaks-all'] : Object.keys(controls).filter((name) => name !== 'leaks-all');
  if (given.short) names.splice(names.indexOf('writer2'), 1);
  if (!names.includes('server')) process.stderr.write('soak: no /dev/fuse here: without a mount\n');
  for (const [index, name] of [...names, ...leaks].entries()) processes.push(start(name, index));
  const started = performance.now();
  let epochs = 0;
  while (performance.now() - started < totalMs || epochs < LEAST_EPOCHS) {
    await epoch(processes);
    epochs++;
  }
  for (const one of processes) one.epochs.splice(0, WARM_UP);
  for (const one of processes) {
    if (one.name in controls) rows.push(judgeControl(one));
    else {
      findings.push(...judge(one));
      rows.push(rowOf(one));
    }
  }
  const minutes = Math.round((performance.now() - started) / 6000) / 10;
  rows.unshift({
    what: 'all',
    figures: { minutes, epochs, processes: names.length, controls: leaks.length },
  });
} catch (error) {
  findings.push(error instanceof Error ? `${error.message}\n${error.stack}` : String(error));
} finally {
  for (const { child } of processes) await child.end();
  fs.rmSync(root, { recursive: true, force: true });
  if (tmpfs && usedBytes(place) !== usedBefore) {
    findings.push(`${usedBytes(place) - usedBefore} bytes of the host's memory did not come back`);
  }
  removeDirectories();
}
finish('soak', { rows, findings, json: given.json ?? false, save: given.save ?? false });
