import type { FileStat, Fmap, HostMap, Volume, VolumeFile } from '../../famfs/index.js';
import { volumeAddress, volumeOrDeviceAddress } from '../arguments/address.js';
import type { Context } from '../context.js';
import { withVolume } from '../opening.js';
import { hex, humanSize, octalMode } from '../output/human.js';
import { formatPairs, formatTable, printable } from '../output/table.js';

const PIECE_BYTES = 2 ** 20;

interface LsFlags {
  long?: boolean;
  recursive?: boolean;
  plain?: boolean;
}

/** `udax ls` */
export function ls(context: Context, [text = '']: string[], flags: LsFlags): void {
  const { device, path } = volumeOrDeviceAddress(text);
  withVolume(context, device, { readOnly: true, plain: flags.plain ?? false }, (volume) => {
    const start = volume.stat(path);
    const listed = start.isDirectory() ? childrenOf(volume, start.path, flags.recursive ?? false) : [start];
    const shown = (stat: FileStat) => nameShown(stat, start, flags.recursive ?? false);
    const names = () => listed.map((stat) => printable(shown(stat))).join('\n');
    const target = (stat: FileStat) => (stat.isSymbolicLink() ? volume.readlink(stat.path) : undefined);
    context.show(
      listed.map((stat) => jsonOf(stat, target(stat))),
      () => (flags.long && listed.length > 0 ? longListing(listed, withTarget(shown, target)) : names()),
    );
  });
}

/** The entries of a directory, by name. With `recursive`, the content of each directory follows it. */
function childrenOf(volume: Volume, directory: string, recursive: boolean): FileStat[] {
  const found: FileStat[] = [];
  // Uses an explicit stack: a very deep tree must not exceed the limit of the call stack.
  const pending = [directory];
  while (pending.length > 0) {
    const path = pending.pop()!;
    const isStart = path === directory;
    const stat = isStart ? null : volume.lstat(path);
    if (stat) found.push(stat);
    if (isStart || (recursive && stat?.isDirectory())) {
      const names = volume.readdir(path).sort().reverse();
      for (const name of names) pending.push(path === '/' ? `/${name}` : `${path}/${name}`);
    }
  }
  return found;
}

function jsonOf(stat: FileStat, target: string | undefined) {
  const { path, type, size, mode, uid, gid } = stat;
  return { path, type, size, mode: octalMode(mode), uid, gid, ...(target !== undefined && { target }) };
}

type TextOf<T> = (stat: FileStat) => T;

function withTarget(shown: TextOf<string>, target: TextOf<string | undefined>): TextOf<string> {
  return (stat) => (stat.isSymbolicLink() ? `${shown(stat)} -> ${target(stat)}` : shown(stat));
}

function nameShown(stat: FileStat, start: FileStat, recursive: boolean): string {
  const suffix = stat.isDirectory() ? '/' : '';
  if (recursive || !start.isDirectory()) return stat.path + suffix;
  return stat.path.slice(stat.path.lastIndexOf('/') + 1) + suffix;
}

function longListing(listed: readonly FileStat[], shown: (stat: FileStat) => string): string {
  return formatTable(
    [
      { heading: 'MODE' },
      { heading: 'UID', right: true },
      { heading: 'GID', right: true },
      { heading: 'SIZE', right: true },
      { heading: 'NAME' },
    ],
    listed.map((stat) => [
      octalMode(stat.mode),
      stat.uid,
      stat.gid,
      stat.isDirectory() ? '-' : stat.size,
      shown(stat),
    ]),
  );
}

/** `udax cat` */
export async function cat(context: Context, args: string[]): Promise<void> {
  for (const { device, path } of args.map(volumeAddress)) {
    await withVolume(context, device, { readOnly: true }, async (volume) => {
      const file = volume.open(path);
      try {
        await writeAll(context, file);
      } finally {
        file.close();
      }
    });
  }
}

/**
 * Uses read(), not views: when the file behind the memory is cut meanwhile, read() fails, but touching a view would end this
 * process.
 */
async function writeAll(context: Context, file: VolumeFile): Promise<void> {
  for (let position = 0; position < file.size; ) {
    // The stream keeps the piece, so each piece has its own memory.
    const piece = new Uint8Array(Math.min(PIECE_BYTES, file.size - position));
    position += file.read(piece, position);
    await context.output.bytes(piece);
  }
}

/** `udax getmap` */
export function getmap(context: Context, [text = '']: string[], flags: { host?: boolean } = {}): void {
  const { device, path } = volumeAddress(text);
  if (flags.host) {
    withVolume(context, device, { readOnly: true }, (volume) => {
      const map = hostMap(volume, path);
      context.show(map, () => describeHostMap(text, map));
    });
    return;
  }
  withVolume(context, device, { readOnly: true }, (volume) => {
    const map = volume.getmap(path);
    context.show(map, () => describeMap(text, map));
  });
}

function hostMap(volume: Volume, path: string): HostMap {
  const file = volume.open(path);
  try {
    return file.hostMap();
  } finally {
    file.close();
  }
}

/** The text of `udax getmap --host`. */
function describeHostMap(name: string, { size, align, pieces }: HostMap): string {
  const about: [string, string][] = [
    ['file', name],
    ['size', `${size} (${humanSize(size)})`],
    ['align', `${align}: offsets and lengths of mappings are multiples of it`],
  ];
  const columns = [
    { heading: 'FILE OFFSET', right: true },
    { heading: 'OFFSET', right: true },
    { heading: 'LENGTH', right: true },
    { heading: 'PATH' },
  ];
  let fileOffset = 0;
  const rows = pieces.map(({ path, offset, length }) => {
    const first = hex(fileOffset);
    fileOffset += length;
    return [first, hex(offset), hex(length), printable(path)];
  });
  return `${formatPairs(about)}\n\n${formatTable(columns, rows)}`;
}

/** The text of `udax getmap`: the whole file first, then the extents in file order (strips in strip order). */
function describeMap(name: string, map: { size: number } & Fmap): string {
  const about: [string, string][] = [
    ['file', name],
    ['size', `${map.size} (${humanSize(map.size)})`],
  ];
  if (map.type === 'interleaved') {
    about.push(['layout', `interleaved: chunks of ${humanSize(map.chunkSize)} over ${map.nstrips} strips`]);
  } else {
    about.push(['layout', 'simple: extents one after another']);
  }
  const columns = [
    { heading: map.type === 'simple' ? 'FILE OFFSET' : 'STRIP', right: true },
    { heading: 'DEVICE', right: true },
    { heading: 'OFFSET', right: true },
    { heading: 'LENGTH', right: true },
  ];
  let fileOffset = 0;
  const rows = map.extents.map((extent, index) => {
    const first = map.type === 'simple' ? hex(fileOffset) : index;
    fileOffset += extent.length;
    return [first, extent.devindex, hex(extent.offset), hex(extent.length)];
  });
  return `${formatPairs(about)}\n\n${formatTable(columns, rows)}`;
}
