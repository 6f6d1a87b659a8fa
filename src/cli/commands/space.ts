import type { FileStat, Volume, VolumeStatfs } from '../../famfs/index.js';
import { deviceArgument, volumeOrDeviceAddress } from '../arguments/address.js';
import type { Context } from '../context.js';
import { withVolume } from '../opening.js';
import { count, humanSize, percent } from '../output/human.js';
import { formatPairs, formatTable, printable } from '../output/table.js';

/** `udax df` */
export function df(context: Context, [text = '']: string[]): void {
  const where = deviceArgument(text);
  const space = withVolume(context, where, { readOnly: true }, (volume) => volume.statfs());
  const columns = ['WHAT', 'SIZE', 'USED', 'FREE', 'USE%'].map((heading, index) => ({
    heading,
    right: index > 0,
  }));
  context.show(space, () => {
    const table = formatTable(columns, [
      [
        'space',
        humanSize(space.size),
        humanSize(space.used),
        humanSize(space.free),
        percent(space.used, space.size),
      ],
      ['log slots', space.logSlots, space.logUsed, space.logFree, percent(space.logUsed, space.logSlots)],
    ]);
    return `${table}\n\n${formatPairs(partsOf(space))}`;
  });
  for (const warning of lowSpaceWarnings(where, space)) context.output.note(warning);
}

/** What the used space is. */
function partsOf(space: VolumeStatfs): [string, string][] {
  const { allocUnit, units, metadata, files, directories, fileBytes } = space;
  const { lostToRounding, reserved, reclaimable } = space;
  const content = `${count(files, 'file')} and ${count(directories, 'directory', 'directories')}`;
  return [
    ['units', `${units} of ${humanSize(allocUnit)} taken; ${humanSize(metadata)} are superblock and log`],
    ['files', `${humanSize(fileBytes)} in ${content}`],
    ['lost to rounding', `${humanSize(lostToRounding)} of their units hold none of their bytes`],
    ['reserved', `${humanSize(reserved)} for what is not published yet`],
    ['reclaimable', `${humanSize(reclaimable)} that no name reaches`],
  ];
}

/** A smaller free share than this gives a warning. */
const lowShare = 0.1;

/** What runs low on a volume, and what helps. */
function lowSpaceWarnings(where: string, space: VolumeStatfs): string[] {
  const warnings: string[] = [];
  const reclaim =
    space.reclaimable > 0
      ? `udax compact gives back ${humanSize(space.reclaimable)}`
      : 'udax rm removes files and frees what they took';
  if (space.free < space.size * lowShare) {
    warnings.push(`udax: ${where} has ${humanSize(space.free)} left: ${reclaim}`);
  }
  if (space.logFree < space.logSlots * lowShare) {
    warnings.push(
      `udax: ${where} has ${count(space.logFree, 'log slot')} left: ${reclaim}; a longer log needs udax mkfs -f -l`,
    );
  }
  return warnings;
}

interface DuFlags {
  summarize?: boolean;
  humanReadable?: boolean;
}

/** One line of du: a directory with all that is in it, or a file that was named. */
interface Taken {
  path: string;
  taken: number;
  bytes: number;
  lostToRounding: number;
  logEntries: number;
}

/** `udax du` */
export function du(context: Context, args: string[], flags: DuFlags): void {
  const lines = args.flatMap((text) => {
    const { device, path } = volumeOrDeviceAddress(text);
    return withVolume(context, device, { readOnly: true }, (volume) => {
      const found = takenBelow(volume, path);
      const shown = flags.summarize ? found.slice(-1) : found;
      return shown.map((line) => ({ device, ...line }));
    });
  });
  const size = (bytes: number) => (flags.humanReadable ? humanSize(bytes) : bytes);
  const columns = ['TAKEN', 'BYTES', 'LOST', 'LOG ENTRIES'].map((heading) => ({ heading, right: true }));
  context.show(lines, () =>
    formatTable(
      [...columns, { heading: 'FILE' }],
      lines.map(({ device, path, taken, bytes, lostToRounding, logEntries }) => [
        size(taken),
        size(bytes),
        size(lostToRounding),
        logEntries,
        printable(`${device}:${path}`),
      ]),
    ),
  );
}

/** As du(1): each directory comes after those in it, and what was asked about is last. A file that has several names counts once. */
function takenBelow(volume: Volume, path: string): Taken[] {
  const top = volume.stat(path);
  const lines: Taken[] = [];
  const open: Taken[] = [];
  const seen = new Set<number>();
  const begin = (directory: string) =>
    open.push({ path: directory, taken: 0, bytes: 0, lostToRounding: 0, logEntries: 0 });
  const end = (): void => {
    const done = open.pop()!;
    lines.push(done);
    const above = open.at(-1);
    if (above) add(above, done);
  };
  const takeOne = (stat: FileStat): void => {
    const isFirst = !seen.has(stat.ino);
    seen.add(stat.ino);
    while (open.length > 1 && !isInside(stat.path, open.at(-1)!.path)) end();
    if (stat.isDirectory()) begin(stat.path);
    if (!isFirst) return;
    if (stat.isDirectory()) open.at(-1)!.logEntries += stat.path === '/' ? 0 : 1;
    else add(open.at(-1)!, volume.usage(stat.path));
  };
  if (!top.isDirectory()) begin(top.path);
  takeOne(top);
  if (top.isDirectory()) for (const stat of volume.walk(top.path)) takeOne(stat);
  while (open.length > 0) end();
  return lines;
}

function add(to: Taken, more: Taken): void {
  to.taken += more.taken;
  to.bytes += more.bytes;
  to.lostToRounding += more.lostToRounding;
  to.logEntries += more.logEntries;
}

function isInside(path: string, directory: string): boolean {
  return directory === '/' || path.startsWith(`${directory}/`);
}
