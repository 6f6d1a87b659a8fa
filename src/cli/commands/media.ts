import { constants } from 'node:fs';
import {
  type CutShortRewrite,
  cutShortRewrite,
  describeCutShort,
  deviceMedia,
  type FsckReport,
  logSlots,
  type Problem,
  renderFsckReport,
  type Superblock,
  systemUuidIfAny,
  type Volume,
  type VolumeStatfs,
} from '../../famfs/index.js';
import { fsck, mkfs, takeOver } from '../../index.js';
import { kernelDeviceOf, type MachineDevice } from '../../machine/index.js';
import { mayAccess } from '../access.js';
import { deviceArgument } from '../arguments/address.js';
import { integerArgument } from '../arguments/numbers.js';
import { positiveSizeArgument } from '../arguments/size.js';
import type { Context } from '../context.js';
import { AlreadyReported, UsageError } from '../errors.js';
import { commandOfHint } from '../hints.js';
import { withDevice, withVolume } from '../opening.js';
import { count, hex, humanSize } from '../output/human.js';
import { formatPairs } from '../output/table.js';

interface MkfsFlags {
  force?: boolean;
  kill?: boolean;
  loglen?: string;
}

/** `udax mkfs` */
export function mkfsCommand(context: Context, [text = '']: string[], flags: MkfsFlags): void {
  const where = deviceArgument(text);
  if (flags.kill && !flags.force) {
    throw new UsageError(
      '-k destroys the file system that is there and needs -f as well; without -k mkfs makes one',
    );
  }
  const options = {
    force: flags.force ?? false,
    kill: flags.kill ?? false,
    ...(flags.loglen === undefined ? {} : { logLength: positiveSizeArgument(flags.loglen, '-l LOGLEN') }),
  };
  const made = withDevice(context, where, { writable: true }, (device) => mkfs(device, options));
  context.show(made ?? { device: where, killed: true }, () => {
    if (made === null) return `${where}: the superblock is invalidated, there is no famfs any more`;
    const { deviceSize, logOffset, logLength } = made;
    const [data, slots] = [deviceSize - logOffset - logLength, logSlots(logLength)];
    return `${where}: famfs of ${humanSize(deviceSize)}, ${humanSize(data)} for data, ${slots} files and directories`;
  });
}

interface FsckFlags {
  verbose?: boolean;
  nbuckets?: string;
}

/** `udax fsck` */
export function fsckCommand(context: Context, [text = '']: string[], flags: FsckFlags): void {
  const where = deviceArgument(text);
  const options =
    flags.nbuckets === undefined ? {} : { buckets: integerArgument(flags.nbuckets, '-B N', 1, 64) };
  const report = withDevice(context, where, { writable: false }, (device) => fsck(device, options));
  const stepOf = ({ hint }: Problem) =>
    hint === undefined ? {} : { hint: commandOfHint(hint, where, 'fsck', context.given) };
  const withSteps = (problems: readonly Problem[]) =>
    problems.map((problem) => ({ ...problem, ...stepOf(problem) }));
  const errors = withSteps(report.errors);
  const notes = withSteps(report.notes);
  context.show({ ...report, errors, notes }, () => {
    const verdict = report.ok ? 'clean' : count(report.errors.length, 'error');
    const details = flags.verbose ? `${rawFields(report)}\n\n` : '';
    const steps = new Set([...errors, ...notes].flatMap(({ hint }) => (hint ? [`\nTry: ${hint}`] : [])));
    return `${details}${renderFsckReport(report).trimEnd()}\n\n${where}: ${verdict}${[...steps].join('')}`;
  });
  if (!report.ok) throw new AlreadyReported();
}

/** All fields of the superblock and of the log, as they are on the media. */
function rawFields({ superblock, log, annex }: FsckReport): string {
  return Object.entries({ superblock, log, annex })
    .filter(([, fields]) => fields !== null)
    .map(([name, fields]) => `${name}:\n${formatPairs(Object.entries(fields!), '  ')}`)
    .join('\n\n');
}

/** `udax info` */
export function info(
  context: Context,
  [text = '']: string[],
  { plain = false }: { plain?: boolean } = {},
): void {
  const where = deviceArgument(text);
  withVolume(context, where, { readOnly: true, plain }, (volume, device) => {
    const { hpa } = device.dax.directAccess(0, 1, 'recovery');
    const { name, kind, coherent, persistent, writable, granule } = device.dax.memory.locate(hpa, 4096)[0]!
      .backing;
    const about = {
      device: volume.device,
      role: volume.role,
      systemUuid: systemUuidIfAny(device) ?? null,
      superblock: volume.superblock,
      space: volume.statfs(),
      devices: volume.devices,
      rewrite: rewriteLeftOn(device),
      memory: {
        backing: name,
        kind,
        coherent,
        persistent,
        // The device is open for reading here. The field tells whether this user may write it.
        writable: writable || mayAccess(name, constants.W_OK),
        granule,
        ...placeOf(kind, name),
      },
    };
    context.show(about, () => formatPairs(infoPairs(about)));
  });
}

/** What a rewrite left that was cut short. */
function rewriteLeftOn(device: MachineDevice): CutShortRewrite | null {
  const media = deviceMedia(device);
  try {
    return cutShortRewrite(media);
  } finally {
    media.close();
  }
}

interface VolumeInfo {
  device: string;
  role: string;
  systemUuid: string | null;
  superblock: Superblock;
  space: VolumeStatfs;
  devices: Volume['devices'];
  rewrite: CutShortRewrite | null;
  memory: {
    backing: string;
    kind: string;
    coherent: boolean;
    persistent: boolean;
    writable: boolean;
    granule: number;
    address?: string;
    dataOffset?: string;
  };
}

function infoPairs(about: VolumeInfo): (readonly [string, string])[] {
  const { superblock, space, memory } = about;
  return [
    ['device', about.device],
    [
      'role',
      `${about.role} (the owner is ${superblock.systemUuid}, this host ${about.systemUuid === null ? 'has no uuid' : `is ${about.systemUuid}`})`,
    ],
    ['file system', superblock.uuid],
    ['device uuid', superblock.deviceUuid],
    ['made on', `${superblock.deviceName}, ${humanSize(superblock.deviceSize)}`],
    ['version', `${superblock.version}, OMF ${superblock.omfMajor}.${superblock.omfMinor}`],
    ['unit', humanSize(superblock.allocUnit)],
    ['space', `${humanSize(space.used)} used, ${humanSize(space.free)} free${reclaimableText(space)}`],
    ['log', `${humanSize(superblock.logLength)}, ${space.logUsed} of ${space.logSlots} slots used`],
    ...annexPairs(space),
    ['content', contentOf(space)],
    ...(about.rewrite === null
      ? []
      : ([
          [
            'rewrite',
            `${describeCutShort(about.rewrite)}; the owner's next mount sees to it: ${commandOfHint('complete-rewrite', about.device, 'info')}`,
          ],
        ] as const)),
    ...about.devices
      .slice(1)
      .map(
        ({ uuid, size }, i) =>
          [
            `device ${i + 1}`,
            `uuid ${uuid}, ${humanSize(size)}: not here, its files are listed only`,
          ] as const,
      ),
    ['memory', `${memory.backing} (${memory.kind}), granule ${humanSize(memory.granule)}`],
    ...(memory.address === undefined
      ? []
      : ([['address', `${memory.address}, data from ${memory.dataOffset} of its region`]] as const)),
    ['coherent', memory.coherent ? 'yes: its users share caches' : 'no: lines are flushed and invalidated'],
    ['persistent', memory.persistent ? 'yes: survives power loss' : 'no: gone with the power'],
    ['writable', memory.writable ? 'yes' : 'no'],
  ];
}

function reclaimableText({ reclaimable }: VolumeStatfs): string {
  return reclaimable === 0 ? '' : ` (${humanSize(reclaimable)} of what is used are of removed files)`;
}

function annexPairs({ annexSlots, annexUsed, annexRecords }: VolumeStatfs): (readonly [string, string])[] {
  if (annexSlots === 0) return [];
  return [['annex', `${count(annexRecords, 'record')}, ${annexUsed} of ${annexSlots} slots used`]];
}

/** Where a real device's memory is. Empty for files, and when only root may read the address. */
function placeOf(kind: string, node: string): { address?: string; dataOffset?: string } {
  const device = kind === 'devdax' ? kernelDeviceOf(node) : null;
  if (device?.resource == null) return {};
  return { address: hex(device.resource), dataOffset: hex(device.dataOffset ?? 0) };
}

function contentOf({ files, directories }: VolumeStatfs): string {
  return `${count(files, 'file')}, ${count(directories, 'directory', 'directories')}`;
}

/** `udax take-over` */
export function takeOverCommand(
  context: Context,
  [text = '']: string[],
  flags: { from?: string; force?: boolean },
): void {
  const where = deviceArgument(text);
  const options = { force: flags.force ?? false, ...(flags.from !== undefined && { from: flags.from }) };
  const result = withDevice(context, where, { writable: true }, (device) => takeOver(device, options));
  context.show(result, () => {
    if (!result.changed) return `${where}: this host (${result.to}) is the owner already`;
    const how = result.completed ? ' (a take-over that was cut short is complete now)' : '';
    return `${where}: taken over from ${result.from}, this host (${result.to}) is the owner now${how}`;
  });
}
