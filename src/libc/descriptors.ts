/**
 * What /proc says of the descriptors of other processes, for threads that serve a FUSE mount.
 *
 * Such a thread must not wait for a process that waits for it. A process in execve(2) closes its O_CLOEXEC files, and each close
 * waits for the mount's answer (FLUSH). It keeps its exec_update_lock meanwhile, and many files of /proc/PID wait for that lock:
 * the links in fd/, exe, stat, wchan, maps, environ, stack, io, mem. The names in fd/, fdinfo/, status, comm and mountinfo do not.
 * So only those are used here. Nothing here calls stat on the files themselves either: they may lie on the mount.
 */
import fs from 'node:fs';
import { hasCode } from './errors.js';
import { memfdCreate } from './files.js';

const info = Buffer.alloc(4096);

/** Open descriptors of a process or thread; none when it has ended or may not be inspected. @param process `/proc/PID` */
export function descriptorsOf(process: string): string[] {
  return numbersIn(`${process}/fd`);
}

/** Names of a directory in /proc that are numbers. */
export function numbersIn(directory: string): string[] {
  return whenThere(() => fs.readdirSync(directory), []).filter((name) => name.charCodeAt(0) < 58);
}

/**
 * What has ended, was closed, or may not be inspected is an answer. Other failures say nothing of the process.
 * @throws Error EMFILE and the like: this process cannot look
 */
function whenThere<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH', 'ENOTDIR', 'EACCES', 'EPERM', 'EINVAL')) return otherwise;
    throw error;
  }
}

/** The text of `fdinfo`: position, flags, mount, inode, locks. Null when it was closed meanwhile or may not be read. */
export function descriptorInfo(process: string, descriptor: string): string | null {
  return whenThere(() => {
    const fd = fs.openSync(`${process}/fdinfo/${descriptor}`, 'r');
    try {
      let text = '';
      for (;;) {
        const length = fs.readSync(fd, info, 0, info.length, null);
        text += info.toString('latin1', 0, length);
        // The kernel gives all of it at once: less than a full buffer is its end.
        if (length < info.length) return text;
      }
    } finally {
      fs.closeSync(fd);
    }
  }, null);
}

/** The number that a line of such a text has. */
export function numberIn(text: string, pattern: RegExp): number | null {
  const found = pattern.exec(text);
  return found ? Number(found[1]) : null;
}

/** How the links of descriptors begin that lead to no file of a file system that programs see. */
const NAMELESS = /^(pipe|socket|anon_inode):|^\/memfd:/;
let knownKernelMounts: ReadonlySet<number> | undefined;

/**
 * The mounts of the kernel's own, which are in no table: of pipes, sockets, epoll and the like, and of memory without a name. Their inode
 * numbers are as small as those of files. Found by this process's own descriptors, at the first call.
 * @throws Error EMFILE and the like: this process cannot look
 */
export function kernelMounts(): ReadonlySet<number> {
  if (knownKernelMounts !== undefined) return knownKernelMounts;
  const mounts = new Set<number>();
  const memory = namelessMemory();
  try {
    for (const descriptor of descriptorsOf('/proc/self')) {
      // The links of this process may be read: it is not in execve(2).
      const link = whenThere(() => fs.readlinkSync(`/proc/self/fd/${descriptor}`), '');
      const text = NAMELESS.test(link) ? descriptorInfo('/proc/self', descriptor) : null;
      const mount = text === null ? null : numberIn(text, /^mnt_id:\s*(\d+)$/m);
      if (mount !== null) mounts.add(mount);
    }
  } finally {
    if (memory !== null) fs.closeSync(memory);
  }
  knownKernelMounts = mounts;
  return mounts;
}

/** Null where it is not allowed (a sandbox). */
function namelessMemory(): number | null {
  try {
    return memfdCreate('udax');
  } catch (error) {
    if (hasCode(error, 'EMFILE', 'ENFILE')) throw error;
    return null;
  }
}
