import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readdirSync, readSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Volume, VolumeFile } from '../../famfs/index.js';
import { packageRoot } from '../../libc/index.js';

/** A local file and its destination on the volume. */
export interface TreeFile {
  source: string;
  destination: string;
  /** Bytes, > 0. */
  size: number;
}

/** The result of copying the tree. */
export interface TreeResult {
  directory: string;
  copied: TreeFile[];
  /** Files that are on the volume already, with equal content. */
  kept: TreeFile[];
  /** Files that are on the volume already with other content. They are left alone. */
  stale: TreeFile[];
  /** Files that do not fit, or that would have to be written on a read-only volume. */
  skipped: TreeFile[];
}

const directory = '/udax';
/** Every file takes at least a unit of 2 MiB, so only a sample is copied, not the whole checkout. */
const mostFiles = 40;
const pieceBytes = 1 << 20;

/** Files of the package itself: papers, docs and examples. They are real files that every installation has. */
export function sampleTree(): TreeFile[] {
  const root = packageRoot();
  const top = ['README.md', 'CHANGELOG.md', 'LICENSE', 'NOTICE', 'package.json', 'docs', 'examples', 'bin'];
  const found = top.filter((name) => existsSync(join(root, name))).flatMap((name) => filesBelow(root, name));
  return found.filter((file) => file.size > 0).slice(0, mostFiles);
}

/** The running node program: a file so big that the time of a copy would show. */
export function nodeProgram(): TreeFile {
  const source = realpathSync(process.execPath);
  return { source, destination: `${directory}/node`, size: statSync(source).size };
}

function filesBelow(root: string, name: string): TreeFile[] {
  const source = join(root, name);
  const stat = statSync(source);
  if (stat.isFile()) return [{ source, destination: `${directory}/${name}`, size: stat.size }];
  return readdirSync(source)
    .filter((entry) => entry !== 'node_modules')
    .sort()
    .flatMap((entry) => filesBelow(root, join(name, entry)));
}

/** Copies the files that the volume lacks. It changes no file that is there: somebody may have written it. */
export async function copyTree(
  volume: Volume,
  files: readonly TreeFile[],
  signal: AbortSignal,
): Promise<TreeResult> {
  const result: TreeResult = { directory, copied: [], kept: [], stale: [], skipped: [] };
  for (const file of files) {
    signal.throwIfAborted();
    const there = volume.exists(file.destination) ? volume.stat(file.destination) : null;
    if (there?.size === file.size && sameContent(volume, file)) result.kept.push(file);
    else if (there !== null) result.stale.push(file);
    else if (volume.readOnly || !fits(volume, file)) result.skipped.push(file);
    else {
      const parent = file.destination.slice(0, file.destination.lastIndexOf('/'));
      volume.mkdir(parent, { recursive: true });
      await volume.copyIn(file.source, file.destination, { signal });
      result.copied.push(file);
    }
  }
  return result;
}

/** Whether there is room for the file and its directories, and some left for the user to try things. */
function fits(volume: Volume, file: TreeFile): boolean {
  const { free, allocUnit, logFree } = volume.statfs();
  return free >= file.size + 8 * allocUnit && logFree > 8;
}

function sameContent(volume: Volume, file: TreeFile): boolean {
  const theirs = volume.open(file.destination);
  const fd = openSync(file.source, 'r');
  try {
    return equalBytes(theirs, fd);
  } finally {
    closeSync(fd);
    theirs.close();
  }
}

function equalBytes(file: VolumeFile, fd: number): boolean {
  const ours = Buffer.allocUnsafe(Math.min(pieceBytes, file.size));
  const theirs = Buffer.allocUnsafe(ours.length);
  for (let position = 0; position < file.size; ) {
    const wanted = Math.min(ours.length, file.size - position);
    file.read(theirs.subarray(0, wanted), position);
    const got = readSync(fd, ours, 0, wanted, position);
    if (got !== wanted || ours.compare(theirs, 0, wanted, 0, wanted) !== 0) return false;
    position += wanted;
  }
  return true;
}

/** sha256 of a local file, hexadecimal. */
export function sha256Of(path: string): string {
  const hash = createHash('sha256');
  const piece = Buffer.allocUnsafe(pieceBytes);
  const fd = openSync(path, 'r');
  try {
    for (let got = readSync(fd, piece); got > 0; got = readSync(fd, piece))
      hash.update(piece.subarray(0, got));
  } finally {
    closeSync(fd);
  }
  return hash.digest('hex');
}
