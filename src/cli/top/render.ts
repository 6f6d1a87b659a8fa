import type { MountCounts } from '../metrics/read.js';
import { humanSize, percent } from '../output/human.js';
import { printable } from '../output/table.js';
import type { SeenMount, Snapshot } from './snapshot.js';

/** How text is emphasized: as it is, or with the terminal's attributes. */
export interface Style {
  heading(text: string): string;
  alarm(text: string): string;
}

export const PLAIN: Style = { heading: (text) => text, alarm: (text) => text };
export const COLOURED: Style = {
  heading: (text) => `\x1b[1m${text}\x1b[0m`,
  alarm: (text) => `\x1b[31m${text}\x1b[0m`,
};

/** A terminal of fewer columns gets the columns that matter. */
const WIDE = 80;

interface Column {
  heading: string;
  right?: boolean;
  /** Only on a wide terminal. */
  isExtra?: boolean;
  /** Its cells are cut to what is left of the line; the end of a path tells most. */
  isFlexible?: boolean;
}

interface Row {
  cells: (string | number)[];
  isAlarming?: boolean;
}

/**
 * The lines of a view, each at most `width` columns.
 * @param before the snapshot before this one, for rates; undefined: totals are shown
 */
export function render(now: Snapshot, before: Snapshot | undefined, width: number, style: Style): string[] {
  const time = new Date(now.time).toTimeString().slice(0, 8);
  const sections = [
    section(DEVICE_COLUMNS, deviceRows(now), width, style),
    section(VOLUME_COLUMNS, volumeRows(now), width, style),
    section(mountColumns(before !== undefined), mountRows(now, before), width, style),
    section(HOLDER_COLUMNS, holderRows(now), width, style),
  ].filter((lines) => lines.length > 0);
  const title = cut(`udax top  ${time}  ${printable(now.root)}`, width);
  const nothing = sections.length === 0 ? ['', cut('no machine here and nothing mounted', width)] : [];
  return [style.heading(title), ...nothing, ...sections.flatMap((lines) => ['', ...lines])];
}

const DEVICE_COLUMNS: readonly Column[] = [
  { heading: 'DEVICE' },
  { heading: 'MODE' },
  { heading: 'STATE', isExtra: true },
  { heading: 'SIZE', right: true },
  { heading: 'HELD', right: true },
  { heading: 'FAILED', right: true, isExtra: true },
];

function deviceRows({ devices }: Snapshot): Row[] {
  return devices.map(({ name, mode, state, size, holders, poison }) => ({
    cells: [name, mode, state, humanSize(size), holders, poison === 0 ? '-' : humanSize(poison)],
    isAlarming: poison > 0,
  }));
}

const VOLUME_COLUMNS: readonly Column[] = [
  { heading: 'VOLUME' },
  { heading: 'USED', right: true },
  { heading: 'FREE', right: true },
  { heading: 'SIZE', right: true, isExtra: true },
  { heading: 'FILES', right: true },
  { heading: 'LOG', right: true },
  { heading: 'PROBLEM', isExtra: true, isFlexible: true },
];

function volumeRows({ volumes }: Snapshot): Row[] {
  return volumes.map(({ device, problem, size, used, free, files, logUsed, logSlots }) =>
    problem === null
      ? {
          cells: [
            device,
            percent(used, size),
            humanSize(free),
            humanSize(size),
            files,
            percent(logUsed, logSlots),
            '',
          ],
        }
      : { cells: [device, '-', '-', '-', '-', '-', problem], isAlarming: true },
  );
}

function mountColumns(hasRates: boolean): readonly Column[] {
  const per = hasRates ? '/S' : '';
  return [
    { heading: 'MOUNT', isFlexible: true },
    { heading: 'STATE' },
    { heading: `OPS${per}`, right: true },
    { heading: `READ${per}`, right: true, isExtra: true },
    { heading: `WRITTEN${per}`, right: true, isExtra: true },
    { heading: 'MEAN', right: true },
    { heading: 'OPEN', right: true },
    { heading: 'UNPUBLISHED', right: true, isExtra: true },
  ];
}

function mountRows({ mounts, time }: Snapshot, before: Snapshot | undefined): Row[] {
  return mounts.map((mount) => {
    const isAlarming = mount.state === 'dead' || mount.state === 'hangs';
    const name = mount.mountpoint;
    if (mount.counts === undefined)
      return { cells: [name, mount.state, '-', '-', '-', '-', '-', '-'], isAlarming };
    const seconds = before === undefined ? 1 : Math.max(0.001, (time - before.time) / 1000);
    const done = since(mount.counts, before?.mounts.find((other) => isSame(mount, other))?.counts);
    const mean = done.requests === 0 ? '-' : latency(done.seconds / done.requests);
    const { openFiles, unpublished } = mount.counts;
    const ops = Math.round(done.requests / seconds);
    const [read, written] = [done.readBytes, done.writtenBytes].map((bytes) =>
      humanSize(Math.round(bytes / seconds)),
    );
    return { cells: [name, mount.state, ops, read!, written!, mean, openFiles, unpublished], isAlarming };
  });
}

/** Another daemon at the same place has counts of its own. */
function isSame(one: SeenMount, other: SeenMount): boolean {
  return one.mountpoint === other.mountpoint && one.pid === other.pid;
}

function since(now: MountCounts, before: MountCounts | undefined): MountCounts {
  if (before === undefined) return now;
  return {
    ...now,
    requests: now.requests - before.requests,
    seconds: now.seconds - before.seconds,
    readBytes: now.readBytes - before.readBytes,
    writtenBytes: now.writtenBytes - before.writtenBytes,
  };
}

/** `85 us`, `1.2 ms`, `3.4 s`. */
function latency(seconds: number): string {
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)} us`;
  return seconds < 1 ? `${(seconds * 1000).toFixed(1)} ms` : `${seconds.toFixed(1)} s`;
}

const HOLDER_COLUMNS: readonly Column[] = [
  { heading: 'PID', right: true },
  { heading: 'DEVICE' },
  { heading: 'PURPOSE', isExtra: true },
  { heading: 'COMMAND', isFlexible: true },
];

function holderRows({ holders }: Snapshot): Row[] {
  return holders.map(({ pid, device, purpose, command }) => ({ cells: [pid, device, purpose, command] }));
}

/** A table that fits the width: without its extra columns where it is narrow, its flexible column cut. Empty without rows. */
function section(all: readonly Column[], rows: readonly Row[], width: number, style: Style): string[] {
  if (rows.length === 0) return [];
  const shown = all
    .map((column, index) => ({ column, index }))
    .filter(({ column }) => width >= WIDE || !column.isExtra);
  const columns = shown.map(({ column }) => column);
  const texts = rows.map(({ cells }) => shown.map(({ index }) => printable(String(cells[index]))));
  const widths = columns.map(({ heading }, at) =>
    Math.max(heading.length, ...texts.map((row) => row[at]!.length)),
  );
  const flexible = columns.findIndex(({ isFlexible }) => isFlexible);
  const sum = widths.reduce((total, own) => total + own + 2, -2);
  if (flexible >= 0 && sum > width)
    widths[flexible] = Math.max(columns[flexible]!.heading.length, widths[flexible]! - (sum - width));
  const line = (cells: readonly string[]) =>
    cut(
      cells
        .map((cell, at) => pad(cutFront(cell, widths[at]!), widths[at]!, columns[at]!.right))
        .join('  ')
        .trimEnd(),
      width,
    );
  const head = line(columns.map(({ heading }) => heading));
  return [
    style.heading(head),
    ...texts.map((row, at) => (rows[at]!.isAlarming ? style.alarm(line(row)) : line(row))),
  ];
}

function pad(text: string, width: number, right = false): string {
  return right ? text.padStart(width) : text.padEnd(width);
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}~`;
}

function cutFront(text: string, width: number): string {
  return text.length <= width ? text : `~${text.slice(text.length - width + 1)}`;
}
