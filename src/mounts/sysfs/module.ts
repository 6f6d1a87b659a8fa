/** What the session's worker loads: opens the machine there and makes the file system over its tree. */
import type { FuseFileSystem } from '../../fuse/index.js';
import { openMachine } from '../../machine/index.js';
import { sysfs } from '../../tree/index.js';
import { SysfsFileSystem } from './file-system.js';
import type { SysfsMountData } from './mount.js';

/** One directory of our own for all regions, so that it can be bound over another tree as a whole, now and for later ones. */
const regionPlace = ({ id }: { id: number }) => `udax/region${id}`;

export function createFileSystem(data: unknown): FuseFileSystem {
  const { root } = data as SysfsMountData;
  const machine = openMachine(root, { lockWaitMs: 2000 });
  try {
    return new SysfsFileSystem(sysfs(machine, { place: regionPlace }), () => machine.close());
  } catch (error) {
    machine.close();
    throw error;
  }
}
