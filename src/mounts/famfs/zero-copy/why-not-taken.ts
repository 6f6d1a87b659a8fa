import { listFuseMounts } from '../../../fuse/index.js';
import { DaxError, hasCode } from '../../../libc/index.js';

/** Why the kernel did not take a device, and what to do. @param at where the new mount is */
export function whyNotTaken(
  error: unknown,
  { name, node }: { readonly name: string; readonly node: string },
  at: string,
): unknown {
  if (!(error instanceof DaxError)) return error;
  const say = (code: 'EOPNOTSUPP' | 'EPERM' | 'EBUSY', message: string) =>
    new DaxError(code, message, { path: name, cause: error });
  if (hasCode(error, 'EPERM'))
    return say('EPERM', `${name}: giving a dax device to the kernel needs CAP_SYS_RAWIO: run as root`);
  if (hasCode(error, 'EBUSY')) return say('EBUSY', `${name} is held by ${holderOf(name, node, at)}`);
  if (hasCode(error, 'EINVAL', 'ENOTTY'))
    return say(
      'EOPNOTSUPP',
      `this kernel does not take ${name}: it has no extent maps (Linux 7.4), or the device is not in famfs mode`,
    );
  return error;
}

/**
 * Who may have the device. The table of mounts knows names alone, which devices of other machines have too; a mount that was detached, or
 * whose server was killed, may not be in it.
 */
function holderOf(name: string, node: string, at: string): string {
  const names = [name, node, node.replace(/^\/dev\//, '')];
  const others = listFuseMounts()
    .filter(
      ({ type, source, mountpoint }) => type === 'fuse.udax' && names.includes(source) && mountpoint !== at,
    )
    .map(({ mountpoint }) => mountpoint);
  const where = others.length === 0 ? '' : ` (a device of that name is mounted at ${others.join(', ')})`;
  return `another mount, or by files that are still open or mapped from one: end those first${where}`;
}
