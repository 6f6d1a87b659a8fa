import { fail } from '../../libc/index.js';
import { type Role, roleOf, systemUuidIfAny } from '../media/role.js';
import { completeCutShort, refuseUnfinished } from './cut-short.js';
import { MountedFamfs } from './mounted.js';
import type { FamfsDevice, MountOptions, Refusals } from './types.js';
import { Volume } from './volume.js';

/**
 * Mounts the famfs on a device. Several volumes of one process on one device share one MountedFamfs; each volume
 * has its own role. Other processes mount the device for themselves.
 * @throws DaxError EINVAL no famfs there, EOPNOTSUPP another version, EBADMSG damaged; EBUSY another process has the
 *   device exclusively; EPERM role master requested, but another host owns it; ENXIO not in famfs mode
 */
export function mountFamfsOn(device: FamfsDevice, options: MountOptions = {}): Volume {
  const mayWrite = device.writable && !options.readOnly && !options.salvage && options.role !== 'client';
  if (mayWrite) completeCutShort(device, options);
  const mounted = MountedFamfs.on(device, options);
  try {
    const { systemUuid: owner } = mounted.superblock;
    const own = systemUuidIfAny(device);
    const { servedAt } = device;
    if (servedAt !== undefined && options.role === 'master') {
      fail('EPERM', `${servedAt} is a mount whose server is the master of the volume: make files there`, {
        path: servedAt,
      });
    }
    const isOwner =
      servedAt === undefined && own !== undefined && roleOf(mounted.superblock, own) === 'master';
    const { role = isOwner ? 'master' : 'client' } = options;
    if (role === 'master' && !isOwner) {
      fail(
        'EPERM',
        `${device.name} is owned by host ${owner}, this is ${own ?? 'a host without a system uuid'}: mount it as a client`,
        {
          path: device.name,
        },
      );
    }
    if (role === 'master' && mayWrite) refuseUnfinished(mounted);
    return Volume.over(
      mounted,
      role,
      refusals(device, role, isOwner, options.salvage ? { ...options, readOnly: true } : options),
    );
  } catch (error) {
    mounted.leave();
    throw error;
  }
}

/** Why a mount in this role refuses changes and stores, as text that says what to do. */
function refusals(device: FamfsDevice, role: Role, isOwner: boolean, options: MountOptions): Refusals {
  const protectedMemory = whyProtected(device, options);
  if (role === 'master') return { readOnly: protectedMemory, noStores: protectedMemory };
  const client = isOwner
    ? `${device.name} is mounted as a client; mount it as its master`
    : `${device.name} belongs to another host, and only the owner writes; read it, or write there`;
  if (options.clientWrites) return { readOnly: client, noStores: protectedMemory };
  return {
    readOnly: client,
    noStores: `${client} (clientWrites lets a client store into files that are there)`,
  };
}

function whyProtected(device: FamfsDevice, options: MountOptions): string | null {
  if (options.readOnly) return `${device.name} is mounted read-only; mount it without readOnly`;
  if (!device.writable)
    return `this process may only read the memory of ${device.name}; check its permissions`;
  return null;
}
