import { basename, relative } from 'node:path';
import { fail } from '../../libc/index.js';
import { type Machine, openMachine } from '../../machine/index.js';
import { positiveSizeArgument } from '../arguments/size.js';
import type { Context } from '../context.js';
import { patienceOf } from '../opening.js';
import { count, duration, humanSize, percent } from '../output/human.js';
import { type MountTried, mountWhereAllowed } from '../up/mount.js';
import { nextSteps, quoted } from '../up/next-steps.js';
import { pageWhereAllowed } from '../up/page.js';
import { copyTree, nodeProgram, sampleTree, sha256Of, type TreeResult } from '../up/tree.js';
import { type ReadyVolume, readyVolume } from '../up/volume.js';
import { askSecondProcess, type Testimony } from '../up/witness.js';
import { describeStatus } from './machine.js';

interface UpFlags {
  once?: boolean;
  size?: string;
}

/**
 * `udax up`. Without --once it also mounts the volume through FUSE where it may, after the second process has checked a file. The
 * mount ends before the volume is closed.
 */
export async function up(context: Context, _args: string[], flags: UpFlags): Promise<void> {
  const size = flags.size === undefined ? null : positiveSizeArgument(flags.size, '-s SIZE');
  const signal = context.interruptible();
  const started = performance.now();
  const machine = openMachine(context.root, { create: true, ...patienceOf(context) });
  try {
    const ready = readyVolume(machine, size);
    try {
      const tree = await copyTree(ready.volume, [...sampleTree(), nodeProgram()], signal);
      const testimony = await checkBySecondProcess(context, ready, tree, signal);
      const milliseconds = performance.now() - started;
      const mount = flags.once ? null : await mountWhereAllowed(context, ready.device.name);
      try {
        const report = {
          root: machine.root,
          ...reportOf(ready, tree, testimony),
          ...mountReport(mount),
          milliseconds,
        };
        context.show(report, () => describe(machine, ready, tree, testimony, mount, milliseconds));
        if (!flags.once) await stay(context, machine, signal);
      } finally {
        await mount?.end();
      }
    } finally {
      ready.volume.close();
    }
  } finally {
    machine.close();
  }
}

/** Lets another process map and hash the biggest file of the tree that is on the volume. */
async function checkBySecondProcess(
  context: Context,
  { device }: ReadyVolume,
  tree: TreeResult,
  signal: AbortSignal,
): Promise<Testimony> {
  const candidates = [...tree.copied, ...tree.kept].sort((a, b) => b.size - a.size);
  const file =
    candidates[0] ??
    fail('ENOSPC', `no sample file fits on ${device.name}: udax df ${device.name} tells more`);
  const testimony = await askSecondProcess(context.root, device.name, file.destination, signal);
  const expected = sha256Of(file.source);
  if (testimony.sha256 !== expected) {
    fail(
      'EIO',
      `${device.name}:${file.destination}: the second process saw sha256 ${testimony.sha256}, the source has ${expected}`,
    );
  }
  return testimony;
}

function reportOf({ volume, device, story }: ReadyVolume, tree: TreeResult, testimony: Testimony) {
  return {
    device: device.name,
    role: volume.role,
    story,
    directory: tree.directory,
    copied: tree.copied.length,
    kept: tree.kept.length,
    stale: tree.stale.length,
    skipped: tree.skipped.length,
    secondProcess: testimony,
  };
}

function describe(
  machine: Machine,
  ready: ReadyVolume,
  tree: TreeResult,
  seen: Testimony,
  mount: MountTried | null,
  milliseconds: number,
): string {
  const { volume, device, story } = ready;
  const space = volume.statfs();
  const lines = [
    `udax is up in ${duration(milliseconds)}: one memory, real files, any number of processes.`,
    '',
    ...story.map((act) => `  ${act}`),
    `  ${treeSentence(tree)}`,
    `  process ${seen.pid} mapped ${device.name}:${seen.path} (${humanSize(seen.bytes)}) in ${seen.mapMilliseconds.toFixed(2)} ms without copying it;`,
    `    its sha256 ${seen.sha256.slice(0, 16)}... is the one of the source`,
    '',
    `  ${humanSize(space.free)} of ${humanSize(space.size)} are free (${percent(space.used, space.size)} used), ` +
      `${space.logFree} of ${space.logSlots} log slots`,
    ...mountLines(mount),
    '',
    'Try next:',
    ...nextSteps(
      `${programName()} --root ${quoted(machine.root)}`,
      machine.root,
      device.name,
      mount?.directory ?? null,
    ).map((command) => `  ${command}`),
  ];
  return lines.join('\n');
}

function treeSentence(tree: TreeResult): string {
  const copiedBytes = tree.copied.reduce((total, file) => total + file.size, 0);
  const parts = [
    `copied ${count(tree.copied.length, 'file')} (${humanSize(copiedBytes)}) to ${tree.directory}`,
  ];
  if (tree.kept.length > 0) parts.push(`kept ${tree.kept.length} that were there`);
  if (tree.stale.length > 0) parts.push(`left ${tree.stale.length} that differ as they were`);
  if (tree.skipped.length > 0) parts.push(`left out ${tree.skipped.length} for want of space`);
  return parts.join(', ');
}

function mountReport(mount: MountTried | null) {
  if (mount === null) return {};
  return { mount: mount.directory === null ? { refused: mount.why } : { directory: mount.directory } };
}

function mountLines(mount: MountTried | null): string[] {
  if (mount === null) return [];
  if (mount.directory === null) return ['', `  not mounted: ${mount.why}`];
  return ['', `  any program finds its files at ${mount.directory} (FUSE), until Ctrl-C`];
}

/** How the user calls this program: `udax` when installed, `node bin/udax.js` in a checkout. */
function programName(): string {
  const script = process.argv[1] ?? 'udax';
  if (basename(script) === 'udax') return 'udax';
  const path = relative(process.cwd(), script);
  return `node ${quoted(path.startsWith('..') ? script : path)}`;
}

/** Shows the machine, and holders as they come and go, until Ctrl-C. */
async function stay(context: Context, machine: Machine, signal: AbortSignal): Promise<void> {
  context.output.note(
    `\n${describeStatus(machine.status())}\n\nCtrl-C ends this; the volume stays in ${machine.root}`,
  );
  const page = await pageWhereAllowed(context, machine);
  let known = holderLines(machine);
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const now = holderLines(machine);
      for (const line of now) if (!known.includes(line)) context.output.note(`+ ${line}`);
      for (const line of known) if (!now.includes(line)) context.output.note(`- ${line}`);
      known = now;
    }, 1000);
    const end = (): void => {
      clearInterval(timer);
      resolve();
    };
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
  await page?.close();
  context.output.note('closed');
}

function holderLines(machine: Machine): string[] {
  return machine
    .holders()
    .map(({ pid, command, purpose, device }) => `pid ${pid} (${command}): ${purpose} on ${device}`);
}
