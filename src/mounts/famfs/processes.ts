/**
 * Finds out from /proc which processes use a mount. Requests carry thread ids. Nothing here touches the mount itself: this thread
 * serves it, so it would wait for itself.
 */
import { readFileSync } from 'node:fs';
import { deviceOfMount } from '../../fuse/index.js';
import {
  descriptorInfo,
  descriptorsOf,
  hasCode,
  kernelMounts,
  numberIn,
  numbersIn,
} from '../../libc/index.js';

/** A file of a mounted file system. An inode number is unique only within its file system. */
export interface MountedInode {
  /** `major:minor` of the file system. All its mounts (binds, other namespaces) share it. '' where it is not mounted. */
  readonly device: string;
  readonly inode: number;
}

/**
 * Whether any living process has a descriptor of a file. A descriptor that is being closed does not count. It looks at the thread
 * `first` first, the most likely holder. It does not see descriptors in flight, nor those of processes that this one may not
 * inspect. A file that is only mapped has no descriptor. True when it cannot look (no descriptor is left): the file may be open.
 */
export function isOpenAnywhere(file: MountedInode, first: number): boolean {
  if (file.device === '') return false;
  try {
    if (first !== 0 && hasOpen(`/proc/${first}`, file)) return true;
    return numbersIn('/proc').some((pid) => pid !== String(first) && processHasOpen(`/proc/${pid}`, file));
  } catch {
    return true;
  }
}

function processHasOpen(process: string, file: MountedInode): boolean {
  const descriptors = descriptorsOf(process);
  if (descriptors.length > 0) return hasAny(process, descriptors, file);
  // The first thread has ended, or has an empty descriptor table of its own. Other threads may still have descriptors.
  const threads = numbersIn(`${process}/task`);
  return threads.length > 1 && threads.some((thread) => hasOpen(`${process}/task/${thread}`, file));
}

function hasOpen(process: string, file: MountedInode): boolean {
  return hasAny(process, descriptorsOf(process), file);
}

function hasAny(process: string, descriptors: readonly string[], file: MountedInode): boolean {
  return descriptors.some((descriptor) => {
    const info = descriptorInfo(process, descriptor);
    if (info === null) return false;
    // Kernels before 5.14 do not tell the inode. The mount alone has to decide then.
    const inode = numberIn(info, /^ino:\s*(\d+)$/m);
    if (inode !== null && inode !== file.inode) return false;
    const mount = numberIn(info, /^mnt_id:\s*(\d+)$/m);
    const device = mount === null ? null : deviceOf(process, mount);
    // A mount that is in no table any more (umount -l) may be this one. It counts as this one when the inode matches.
    return device === null ? inode === file.inode : device === file.device;
  });
}

/** The file system of a mount; null when no table has it. A process in a chroot does not see the mounts outside: this one may. */
function deviceOf(process: string, mount: number): string | null {
  if (kernelMounts().has(mount)) return '';
  return deviceOfMount(mountsOf(process), mount) ?? deviceOfMount(mountsOf('/proc/self'), mount);
}

/** Its table of mounts; empty when the process has ended or may not be inspected. */
function mountsOf(process: string): string {
  try {
    return readFileSync(`${process}/mountinfo`, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM', 'EINVAL')) return '';
    throw error;
  }
}
