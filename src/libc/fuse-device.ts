import { codeOf, DaxError, type ErrnoCode } from './errors.js';
import { bindCall, lastErrno, lazy, lazyLater, native } from './load.js';
import { addressOf } from './memory.js';
import { readU64, writeU64 } from './u64.js';

/** System calls that a FUSE session makes, for its device and its mount. */

export const MS_RDONLY = 1;
export const MS_NOSUID = 2;
export const MS_NODEV = 4;
export const MNT_DETACH = 2;
export const UMOUNT_NOFOLLOW = 8;

const O_CLOEXEC = 0x80000;
const O_NONBLOCK = 0x800;
const F_SETFL = 4;
/** The same number on all architectures. */
const SYS_OPEN_TREE = 428;
const AT_FDCWD = -100;
const OPEN_TREE_CLONE = 1;
const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 1 | 0x80000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CMSG_CLOEXEC = 0x40000000;

/** FUSE_DEV_IOC_BACKING_CREATE: _IOW(229, 4, struct fuse_backing_create_in of 32 bytes). */
export const FUSE_DEV_IOC_BACKING_CREATE = 0x4020e504;

const mountNative = lazy(
  'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
);
const umount2Native = lazy('int umount2(const char *target, int flags)');
const umountLater = lazyLater('int umount2(const char *target, int flags)');
const dup3Native = lazy('int dup3(int from, int to, int flags)');
const socketpairNative = lazy('int socketpair(int domain, int type, int protocol, void *pair)');
const openTreeNative = lazy('int syscall(long number, int directory, const char *path, unsigned int flags)');
const recvmsgNative = lazy('long recvmsg(int socket, void *message, int flags)');

function failed(syscall: string, doing: string, path?: string): DaxError {
  const code = codeOf(lastErrno());
  return new DaxError(code, `${doing} failed`, path === undefined ? { syscall } : { syscall, path });
}

/**
 * The calls of the loop that reads a FUSE device. They are bound directly, without lazy(). Their ssize_t result is declared
 * as an int, which is cheaper; messages are below 2 GiB.
 */
export interface DeviceCalls {
  /** read(2): bytes, or -1. */
  read(fd: number, address: number, bytes: number): number;
  /** writev(2) of `count` struct iovec at `iovecs`: bytes, or -1. */
  writev(fd: number, iovecs: number, count: number): number;
  /** write(2): bytes, or -1. */
  write(fd: number, address: number, bytes: number): number;
  /** Sets whether read() waits for a request, or is EAGAIN without one. @returns false when the kernel refuses */
  setBlocking(fd: number, blocks: boolean): boolean;
  /** ioctl(2) with the address of its argument: 0, or -1. */
  ioctl(fd: number, request: number, address: number): number;
  /** errno of the last of these calls that failed, on this thread. */
  errno(): number;
}

export function bindDeviceCalls(): DeviceCalls {
  const { koffi } = native();
  const setFlags = bindCall('int fcntl(int fd, int command, intptr_t flags)');
  return {
    read: bindCall('int read(int fd, intptr_t address, size_t bytes)'),
    writev: bindCall('int writev(int fd, intptr_t iovecs, int count)'),
    write: bindCall('int write(int fd, intptr_t address, size_t bytes)'),
    ioctl: bindCall('int ioctl(int fd, unsigned long request, intptr_t address)'),
    setBlocking: (fd, blocks) => setFlags(fd, F_SETFL, blocks ? 0 : O_NONBLOCK) === 0,
    errno: () => koffi.errno(),
  };
}

/** mount(2). */
export function mountFileSystem(
  source: string,
  target: string,
  type: string,
  flags: number,
  data: string,
): void {
  if (mountNative(source, target, type, flags, data) !== 0) {
    throw failed('mount', `mounting ${type} on ${target}`, target);
  }
}

/** umount2(2) on this thread. It is sure not to wait only with MNT_DETACH. */
export function unmountNow(target: string, flags: number): void {
  if (umount2Native(target, flags) !== 0) throw failed('umount2', `unmounting ${target}`, target);
}

/**
 * umount2(2) on another thread, since it may wait for the process that serves the mount.
 * @returns 'done', or the code it failed with, or 'timeout' (the call then still waits on its thread)
 */
export function unmountInBackground(
  target: string,
  flags: number,
  timeoutMs: number,
): Promise<'done' | 'timeout' | ErrnoCode> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve('timeout'), timeoutMs);
    umountLater(target, flags)
      .finally(() => clearTimeout(timer))
      .then(({ result, errno }) => resolve(result === 0 ? 'done' : codeOf(errno)), reject);
  });
}

/**
 * open_tree(2): a copy of the mount at a path that lies nowhere. Files that are opened through it do not make the mount itself busy.
 * @throws DaxError EPERM no CAP_SYS_ADMIN; ENOSYS before Linux 5.2
 */
export function cloneMount(target: string): number {
  const fd = openTreeNative(SYS_OPEN_TREE, AT_FDCWD, target, OPEN_TREE_CLONE | O_CLOEXEC);
  if (fd < 0) throw failed('open_tree', `opening the mount at ${target}`, target);
  return fd;
}

/** dup3(2): makes descriptor `to` a copy of `from`, atomically for all threads that use `to`; close-on-exec. */
export function replaceDescriptor(from: number, to: number): void {
  if (dup3Native(from, to, O_CLOEXEC) < 0) throw failed('dup3', `replacing descriptor ${to}`);
}

/** A pair of connected unix stream sockets, close-on-exec. */
export function socketPair(): [number, number] {
  const pair = new Int32Array(2);
  if (socketpairNative(AF_UNIX, SOCK_STREAM_CLOEXEC, 0, pair) !== 0) {
    throw failed('socketpair', 'making a socket pair');
  }
  return [pair[0]!, pair[1]!];
}

/**
 * Receives one descriptor that the other side of a unix socket sends (SCM_RIGHTS), close-on-exec.
 * @returns null when the other side closed without sending one
 */
export function receiveDescriptor(socket: number): number | null {
  const memory = new ArrayBuffer(256);
  const view = new DataView(memory);
  const base = addressOf(memory);
  // struct iovec @0 of one byte @16; control buffer @32, 64 bytes; struct msghdr @128.
  writeU64(view, 0, base + 16);
  writeU64(view, 8, 1);
  writeU64(view, 128 + 16, base);
  writeU64(view, 128 + 24, 1);
  writeU64(view, 128 + 32, base + 32);
  writeU64(view, 128 + 40, 64);
  for (;;) {
    const received = recvmsgNative(socket, new Uint8Array(memory, 128, 56), MSG_CMSG_CLOEXEC);
    if (received < 0) {
      if (codeOf(lastErrno()) === 'EINTR') continue;
      throw failed('recvmsg', 'receiving a descriptor');
    }
    // struct cmsghdr: length u64, level i32, type i32, then the descriptor.
    const arrived = readU64(view, 128 + 40) >= 20;
    if (!arrived || view.getInt32(40, true) !== SOL_SOCKET || view.getInt32(44, true) !== SCM_RIGHTS)
      return null;
    return view.getInt32(48, true);
  }
}
