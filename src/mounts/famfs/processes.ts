/**
 * Finds out from /proc which processes use a mount. Requests carry thread ids. Nothing here touches the mount itself: this thread
 * serves it, so it would wait for itself.
 */
import { readFileSync } from 'node:fs';
import { deviceOfMount } from '../../fuse/index.js';
import { hasCode } from '../../libc/index.js';

/** A file of a mounted file system. An inode number is unique only within its file system. */
export interface MountedInode {
  /** `major:minor` of the file system. All its mounts (binds, other namespaces) share it. */
  readonly device: string;
  readonly inode: number;
}

/**
 * Whether any living process has a descriptor of a file; one that is being closed does not count. Looks at `first` first, who
 * most likely has it. Descriptors in flight, and of processes that may not be looked at, are not seen; a file that is only mapped has none.
 * When it cannot look (it has no descriptor left), somebody may have the file open: true.
 */
export function isOpenAnywhere(file: MountedInode, first: number): boolean {
  try {
    if (first !== 0 && hasOpen(`/proc/${first}`, file)) return true;
    return numbersIn('/proc').some((pid) => pid !== String(first) && processHasOpen(`/proc/${pid}`, file));
  } catch {
    return true;
  }
}

/** What was asked about has ended, is closed, or is not ours to see: an answer. Other failures say nothing. */
function whenThere<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH', 'ENOTDIR', 'EACCES', 'EPERM', 'EINVAL')) return otherwise;
    throw error;
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
    const device = mount === null ? null : deviceOfMount(procFile(`${process}/mountinfo`) ?? '', mount);
    // A mount that is in no table any more (umount -l) may be this one. It counts as this one when the inode matches.
    return device === null ? inode === file.inode : device === file.device;
  });
}

function numbersIn(directory: string): string[] {
  return whenThere(() => readdirSync(directory), []).filter((name) => name.charCodeAt(0) < 58);
}

function linkOf(path: string): string {
  return whenThere(() => readlinkSync(path), '');
}

function numberIn(text: string, pattern: RegExp): number | null {
  const found = pattern.exec(text);
  return found ? Number(found[1]) : null;
}

function procFile(path: string): string | null {
  return whenThere(() => readFileSync(path, 'utf8'), null);
}
