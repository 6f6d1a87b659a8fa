import { volumeAddress } from '../arguments/address.js';
import { seedArgument } from '../arguments/numbers.js';
import { type OwnershipFlags, ownershipOf } from '../arguments/ownership.js';
import { positiveSizeArgument } from '../arguments/size.js';
import type { Context } from '../context.js';
import { UsageError } from '../errors.js';
import { withVolume } from '../opening.js';
import { humanSize, octalMode } from '../output/human.js';
import { type CreatFlags, makeFile, optionsOf } from './creat-file.js';
import { creatMulti } from './creat-multi.js';

/** `udax creat` */
export function creat(context: Context, [text]: string[], flags: CreatFlags): void {
  if (flags.multi !== undefined) {
    creatMulti(context, text, flags);
    return;
  }
  if (text === undefined) throw new UsageError('creat needs a FILE, like dax0.0:/scratch, or --multi');
  const { device, path } = volumeAddress(text);
  if (flags.size === undefined) throw new UsageError('creat needs -s SIZE, like -s 64M');
  const size = positiveSizeArgument(flags.size, '-s SIZE');
  if ((flags.seed !== undefined) !== (flags.random ?? false)) {
    throw new UsageError('-r and -S SEED go together: the pattern needs a seed, verify -S checks it');
  }
  const seed = flags.seed === undefined ? null : seedArgument(flags.seed);
  const options = optionsOf(flags);
  withVolume(context, device, { readOnly: false }, (volume) => {
    const existed = makeFile(volume, path, { size, seed }, options);
    const pattern = seed === null ? {} : { seed };
    const how = `${existed ? 'was there already' : 'made'}${seed === null ? '' : `, pattern of seed ${seed}`}`;
    context.show({ path, size, existed, ...pattern }, () => `${text}: ${humanSize(size)}, ${how}`);
  });
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

/** `udax clone` */
export function clone(context: Context, [from = '', to = '']: string[], flags: { force?: boolean }): void {
  const source = volumeAddress(from);
  const destination = volumeAddress(to);
  if (source.device !== destination.device) {
    throw new UsageError(
      'a clone shares the space of its source: both must be on one device (udax cp copies)',
    );
  }
  withVolume(context, source.device, { readOnly: false }, (volume) => {
    volume.clone(source.path, destination.path, { force: flags.force ?? false });
    context.show(
      { source: source.path, path: destination.path, ...volume.getmap(destination.path) },
      () => `${to}: shares the space of ${from}; udax fsck reports the overlap from now on`,
    );
  });
}
