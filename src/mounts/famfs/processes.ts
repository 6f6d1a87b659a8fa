/** What /proc says of the processes that use a mount; requests carry thread ids. Nothing here touches the mount itself. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/**
 * Whether two threads are of one process. When it cannot be told (ended, or of another pid namespace, shown as 0) the
 * answer is true.
 */
export function isSameProcess(first: number, second: number): boolean {
  if (first === second || first === 0 || second === 0) return true;
  const one = processOf(first);
  const other = processOf(second);
  return one === null || other === null || one === other;
}

function processOf(thread: number): number | null {
  const status = procFile(`/proc/${thread}/status`);
  const found = status === null ? null : /^Tgid:\s*(\d+)$/m.exec(status);
  return found ? Number(found[1]) : null;
}

/** Whether the process of a thread has a descriptor of an inode; one that it is closing does not count. */
export function hasOpen(thread: number, name: string, inode: number): boolean {
  let descriptors: string[];
  try {
    descriptors = readdirSync(`/proc/${thread}/fd`);
  } catch {
    return false; // it has ended
  }
  return descriptors.some(
    (descriptor) =>
      linkOf(`/proc/${thread}/fd/${descriptor}`).endsWith(name) &&
      inodeOf(`/proc/${thread}/fdinfo/${descriptor}`) === inode,
  );
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // closed meanwhile
  }
}

/** Kernels before 5.14 do not say: then no descriptor is found. */
function inodeOf(path: string): number | null {
  const found = /^ino:\s*(\d+)$/m.exec(procFile(path) ?? '');
  return found ? Number(found[1]) : null;
}

function procFile(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null; // it has ended: an answer
  }
}
