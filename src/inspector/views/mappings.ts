/** Who has which bytes of a device mapped: what /proc tells of the processes that hold it. */
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { type HolderInfo, Machine } from '../../machine/index.js';
import { PAGE_SIZE } from '../../mm/index.js';
import type { ShownMapping } from '../wire.js';
import type { AnyMachine } from './looked.js';

/** The most processes that are looked into at once, and the most text that each may have. A striped file is a line for each chunk. */
const MOST_PROCESSES = 32;
const MOST_TEXT = 2 ** 20;
/** Addresses, rights, offset and inode of a line of /proc/PID/maps, then the path. */
const LINE = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) ([0-9a-f]+) \S+ (\d+) +(.*)$/;

/** Where the memory of a device lies in its file. */
interface Placed {
  readonly inode: number;
  /** The state directory may be reached by another path than the process used: the last name is the same. */
  readonly file: string;
  /** Runs of the file that are runs of the device. Bytes. */
  readonly runs: readonly { inFile: number; onDevice: number; length: number }[];
}

/**
 * The mappings of a device's bytes by the processes that hold it, as far as this user may look into them; none on the kernel's bus.
 * The library's own windows on superblock and log are left out: they begin at the first byte.
 */
export function mappingsOf(
  machine: AnyMachine,
  device: string,
  holders: readonly HolderInfo[] = machine.holders(device),
): ShownMapping[] {
  const placed = holders.length === 0 ? null : placeOf(machine, device);
  if (placed === null) return [];
  const commands = new Map(
    holders.filter((holder) => holder.device === device).map(({ pid, command }) => [pid, command]),
  );
  return [...commands]
    .slice(0, MOST_PROCESSES)
    .flatMap(([pid, command]) => linesOf(pid).flatMap((line) => mappingsIn(line, placed, { pid, command })));
}

function placeOf(machine: AnyMachine, name: string): Placed | null {
  if (!(machine instanceof Machine)) return null;
  const { region, ranges } = machine.deviceInfo(name);
  const { hpa, backing } = machine.region(region);
  const stat = statSync(backing.path, { throwIfNoEntry: false });
  if (stat === undefined) return null;
  const runs = ranges.map(({ start, end, pageOffset }) => ({
    inFile: backing.offset + start - hpa,
    onDevice: pageOffset * PAGE_SIZE,
    length: end + 1 - start,
  }));
  return { inode: stat.ino, file: basename(backing.path), runs };
}

/** No lines: the process is gone, or another user's. */
function linesOf(pid: number): string[] {
  let fd: number | undefined;
  try {
    fd = openSync(`/proc/${pid}/maps`, 'r');
    const text = Buffer.allocUnsafe(MOST_TEXT);
    let length = 0;
    // The kernel gives a page at a time.
    for (let read = 1; read > 0 && length < MOST_TEXT; length += read)
      read = readSync(fd, text, length, MOST_TEXT - length, null);
    return text.toString('latin1', 0, length).split('\n');
  } catch {
    return [];
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function mappingsIn(
  line: string,
  { inode, file, runs }: Placed,
  who: { pid: number; command: string },
): ShownMapping[] {
  // Most lines are of libraries: the cheap test comes first.
  if (!line.endsWith(file)) return [];
  const [, from = '', to = '', rights = '', offset = '', ino] = LINE.exec(line) ?? [];
  if (Number(ino) !== inode) return [];
  const start = Number.parseInt(offset, 16);
  const end = start + Number.parseInt(to, 16) - Number.parseInt(from, 16);
  return runs.flatMap(({ inFile, onDevice, length }) => {
    const first = Math.max(start, inFile);
    const last = Math.min(end, inFile + length);
    const at = onDevice + first - inFile;
    if (first >= last || at === 0) return [];
    return [{ ...who, offset: at, length: last - first, isWritable: rights[1] === 'w' && rights[3] === 's' }];
  });
}
