/** The module that the session's worker loads. It opens the machine and makes the file system over its tree. */
import type { FuseFileSystem } from '../../fuse/index.js';
import { openMachine } from '../../machine/index.js';
import { sysfs } from '../../tree/index.js';
import { SysfsFileSystem } from './file-system.js';
import type { SysfsMountData } from './mount.js';

export function createFileSystem(data: unknown): FuseFileSystem {
  const { root } = data as SysfsMountData;
  const machine = openMachine(root, { lockWaitMs: 2000 });
  try {
    return new SysfsFileSystem(sysfs(machine), () => machine.close());
  } catch (error) {
    machine.close();
    throw error;
  }
}
