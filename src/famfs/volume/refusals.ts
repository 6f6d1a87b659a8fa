import type { Role } from '../media/role.js';
import type { FamfsDevice, MountOptions } from './types.js';

/** Why a volume refuses changes of its metadata, and stores into its files; null where it does not. */
export interface Refusals {
  readonly readOnly: string | null;
  readonly noStores: string | null;
}

/** What a mount in this role is refused, as sentences that say what to do. */
export function refusals(device: FamfsDevice, role: Role, isOwner: boolean, options: MountOptions): Refusals {
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
