import { type CreateOptions, PatternStream, type Volume, type VolumeFile } from '../../famfs/index.js';
import { fail } from '../../libc/index.js';
import { type OwnershipFlags, ownershipOf, type StripeFlags, stripeOf } from '../arguments/ownership.js';

export interface CreatFlags extends OwnershipFlags, StripeFlags {
  size?: string;
  random?: boolean;
  seed?: string;
  multi?: string[];
  threads?: string;
}

/** Bytes written or compared at a time: few enough to stay in the caches. */
const pieceBytes = 1 << 20;

/** The options that all files of one command line share. */
export function optionsOf(flags: CreatFlags): Omit<CreateOptions, 'size' | 'zero'> {
  const mode = flags.mode === undefined ? 0o644 : ownershipOf(flags).mode!;
  return { ...ownershipOf(flags), ...stripeOf(flags), mode: mode & ~process.umask() };
}

/** Makes one file, or uses the existing one. @returns whether it existed */
export function makeFile(
  volume: Volume,
  path: string,
  { size, seed }: { size: number; seed: number | null },
  options: Omit<CreateOptions, 'size' | 'zero'>,
): boolean {
  const existed = volume.exists(path);
  if (!existed) {
    // The file appears with its pattern or not at all: famfs could not remove it.
    volume.create(path, { ...options, size, ...(seed !== null && { fill: patternOf(seed) }) }).close();
    return false;
  }
  const file = openOfSize(volume, path, size);
  try {
    if (seed !== null) fillWithPattern(file, seed);
  } finally {
    file.close();
  }
  return true;
}

/** Opens an existing file, which must have the requested size. */
function openOfSize(volume: Volume, path: string, size: number): VolumeFile {
  const stat = volume.stat(path);
  if (!stat.isFile()) fail('EISDIR', `${path} is a directory: choose another name`, { path });
  if (stat.size !== size) {
    fail(
      'EEXIST',
      `${path} exists with ${stat.size} bytes, not ${size}: famfs files keep their size, choose another name`,
      { path },
    );
  }
  return volume.open(path, { writable: true });
}

/** Fills pieces with the pattern. It continues from piece to piece, so they must come in order. */
function patternOf(seed: number): (into: Uint8Array) => void {
  const pattern = new PatternStream(seed);
  return (into) => pattern.fill(into);
}

function fillWithPattern(file: VolumeFile, seed: number): void {
  const pattern = new PatternStream(seed);
  const piece = new Uint8Array(Math.min(pieceBytes, file.size));
  for (let position = 0; position < file.size; position += piece.length) {
    const part = piece.subarray(0, Math.min(piece.length, file.size - position));
    pattern.fill(part);
    file.write(part, position);
  }
}
