import { PatternStream, type Volume, type VolumeFile } from '../../famfs/index.js';
import { fail } from '../../libc/index.js';
import { volumeAddress } from '../arguments/address.js';
import { seedArgument } from '../arguments/numbers.js';
import { type OwnershipFlags, ownershipOf, type StripeFlags, stripeOf } from '../arguments/ownership.js';
import { positiveSizeArgument } from '../arguments/size.js';
import type { Context } from '../context.js';
import { UsageError } from '../errors.js';
import { withVolume } from '../opening.js';
import { humanSize, octalMode } from '../output/human.js';

interface CreatFlags extends OwnershipFlags, StripeFlags {
  size?: string;
  random?: boolean;
  seed?: string;
}

/** Written or compared at a time: small enough to stay in the caches. */
const pieceBytes = 1 << 20;

/** `udax creat` */
export function creat(context: Context, [text = '']: string[], flags: CreatFlags): void {
  const { device, path } = volumeAddress(text);
  if (flags.size === undefined) throw new UsageError('creat needs -s SIZE, like -s 64M');
  const size = positiveSizeArgument(flags.size, '-s SIZE');
  if ((flags.seed !== undefined) !== (flags.random ?? false)) {
    throw new UsageError('-r and -S SEED go together: the pattern needs a seed, verify -S checks it');
  }
  const seed = flags.seed === undefined ? null : seedArgument(flags.seed);
  const mode = flags.mode === undefined ? 0o644 : ownershipOf(flags).mode!;
  const options = {
    ...ownershipOf(flags),
    ...stripeOf(flags),
    mode: mode & ~process.umask(),
    size,
    zero: seed === null,
  };
  withVolume(context, device, { readOnly: false }, (volume) => {
    const existed = volume.exists(path);
    const file = existed ? openOfSize(volume, path, size) : volume.create(path, options);
    try {
      if (seed !== null) fillWithPattern(file, seed);
    } finally {
      file.close();
    }
    const pattern = seed === null ? {} : { seed };
    const how = `${existed ? 'was there already' : 'made'}${seed === null ? '' : `, pattern of seed ${seed}`}`;
    context.show({ path, size, existed, ...pattern }, () => `${text}: ${humanSize(size)}, ${how}`);
  });
}

/** A file that is there serves when it has the size that was asked for. */
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

function fillWithPattern(file: VolumeFile, seed: number): void {
  const pattern = new PatternStream(seed);
  const piece = new Uint8Array(Math.min(pieceBytes, file.size));
  for (let position = 0; position < file.size; position += piece.length) {
    const part = piece.subarray(0, Math.min(piece.length, file.size - position));
    pattern.fill(part);
    file.write(part, position);
  }
}

interface MkdirFlags extends OwnershipFlags {
  parents?: boolean;
}

/** `udax mkdir` */
export function mkdir(context: Context, [text = '']: string[], flags: MkdirFlags): void {
  const { device, path } = volumeAddress(text);
  const options = { mode: 0o755, ...ownershipOf(flags), recursive: flags.parents ?? false };
  withVolume(context, device, { readOnly: false }, (volume) => {
    volume.mkdir(path, options);
    const stat = volume.stat(path);
    const { uid, gid } = stat;
    context.show(
      { path: stat.path, mode: octalMode(stat.mode), uid, gid },
      () => `${text}: directory, mode ${octalMode(stat.mode)}`,
    );
  });
}
