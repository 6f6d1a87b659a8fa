import { volumeAddress } from '../arguments/address.js';
import type { Context } from '../context.js';
import { UsageError } from '../errors.js';
import { withVolume } from '../opening.js';

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
