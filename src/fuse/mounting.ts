import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import {
  asDaxError,
  closeDescriptor,
  DaxError,
  fail,
  hasCode,
  MS_NODEV,
  MS_NOSUID,
  MS_RDONLY,
  mountFileSystem,
  receiveDescriptor,
  socketPair,
  startFailure,
} from '../libc/index.js';
import type { FuseMountOptions } from './session-types.js';

const DEVICE = '/dev/fuse';
const HELPER_TIMEOUT_MS = 20_000;

export interface Mounted {
  /** The descriptor of /dev/fuse for this mount, in blocking mode. */
  readonly deviceFd: number;
  readonly by: 'mount' | 'fusermount3';
}

/**
 * Mounts a FUSE file system and returns the device that serves it. The kernel's INIT is then waiting there.
 * @throws DaxError EPERM, EACCES (rights; the message says what to do), ENOENT, ENOTDIR (mountpoint), ENOSYS (no FUSE here)
 */
export function mountFuse(mountpoint: string, options: FuseMountOptions): Mounted {
  checkMountpoint(mountpoint);
  const by = options.by ?? (process.geteuid?.() === 0 ? 'mount' : 'fusermount3');
  return {
    deviceFd: by === 'mount' ? mountDirectly(mountpoint, options) : mountByHelper(mountpoint, options),
    by,
  };
}

function checkMountpoint(mountpoint: string): void {
  let stat: fs.Stats;
  try {
    stat = fs.statSync(mountpoint);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) {
      fail('ENOENT', `there is no directory ${mountpoint} to mount on: make it first (mkdir)`, {
        path: mountpoint,
      });
    }
    throw asDaxError(error, `${mountpoint} cannot be mounted on`, mountpoint);
  }
  if (!stat.isDirectory()) {
    fail('ENOTDIR', `${mountpoint} is not a directory: mount on an (empty) directory`, { path: mountpoint });
  }
}

function openDevice(): number {
  try {
    return fs.openSync(DEVICE, 'r+');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENODEV', 'ENXIO')) {
      fail(
        'ENOSYS',
        `there is no ${DEVICE} here: load the module (modprobe fuse), or give the container the device`,
      );
    }
    throw asDaxError(error, `opening ${DEVICE}`, DEVICE);
  }
}

function mountDirectly(mountpoint: string, options: FuseMountOptions): number {
  const deviceFd = openDevice();
  const data = [
    `fd=${deviceFd}`,
    // With permission bits: an overlay over the mount copies the root's mode as it is now, before any GETATTR.
    'rootmode=40755',
    `user_id=${process.geteuid?.() ?? 0}`,
    `group_id=${process.getegid?.() ?? 0}`,
  ];
  if (options.allowOther) data.push('allow_other');
  if (options.defaultPermissions !== false) data.push('default_permissions');
  const flags =
    (options.devices ? 0 : MS_NODEV) | (options.setuid ? 0 : MS_NOSUID) | (options.readOnly ? MS_RDONLY : 0);
  try {
    const type = `fuse.${options.subtype ?? 'udax'}`;
    mountFileSystem(options.source ?? 'udax', mountpoint, type, flags, data.join(','));
  } catch (error) {
    closeDescriptor(deviceFd);
    if (hasCode(error, 'EPERM')) {
      throw new DaxError(
        'EPERM',
        `mounting on ${mountpoint} needs CAP_SYS_ADMIN: run as root, or use fusermount3 (fuse3)`,
        {
          syscall: 'mount',
          path: mountpoint,
          cause: error,
        },
      );
    }
    throw error;
  }
  return deviceFd;
}

/** Mounts with fusermount3 (set-user-id root), which sends the device descriptor through a socket. */
function mountByHelper(mountpoint: string, options: FuseMountOptions): number {
  const [ours, theirs] = socketPair();
  try {
    const words = [
      `fsname=${escapeOption(options.source ?? 'udax')}`,
      `subtype=${options.subtype ?? 'udax'}`,
    ];
    words.push(options.readOnly ? 'ro' : 'rw', 'nosuid', 'nodev');
    if (options.allowOther) words.push('allow_other');
    if (options.defaultPermissions !== false) words.push('default_permissions');
    let result: ReturnType<typeof runHelper>;
    try {
      result = runHelper(['-o', words.join(','), '--', mountpoint], theirs);
    } finally {
      // Closed before receiving: with this copy open, receiving would wait forever for a helper that sent nothing.
      closeDescriptor(theirs);
    }
    const deviceFd = result.ok ? receiveDescriptor(ours) : null;
    if (deviceFd === null) throw helperFailure(result.message, mountpoint);
    return deviceFd;
  } finally {
    closeDescriptor(ours);
  }
}

/** Runs fusermount3. A given socket becomes its descriptor 3. */
export function runHelper(args: readonly string[], socket?: number): { ok: boolean; message: string } {
  const result = spawnSync('fusermount3', [...args], {
    stdio: socket === undefined ? ['ignore', 'ignore', 'pipe'] : ['ignore', 'ignore', 'pipe', socket],
    env: { ...process.env, LC_ALL: 'C', ...(socket === undefined ? {} : { _FUSE_COMMFD: '3' }) },
    encoding: 'utf8',
    timeout: HELPER_TIMEOUT_MS,
    killSignal: 'SIGKILL',
  });
  if (result.error && hasCode(result.error, 'ENOENT')) {
    fail('ENOSYS', 'fusermount3 is not installed: install fuse3, or mount as root');
  }
  if (result.error && hasCode(result.error, 'EMFILE', 'ENFILE', 'EAGAIN', 'ENOMEM', 'EACCES')) {
    throw startFailure('fusermount3', result.error);
  }
  if (result.error) return { ok: false, message: result.error.message };
  return { ok: result.status === 0, message: result.stderr.trim() || `exit status ${result.status}` };
}

function helperFailure(message: string, mountpoint: string): DaxError {
  let advice = '';
  if (/allow_other/.test(message))
    advice = ' (put user_allow_other into /etc/fuse.conf, or leave allowOther out)';
  else if (/failed to open \/dev\/fuse: Permission denied/.test(message)) {
    advice = ' (every user of FUSE needs to open it: chmod 666 /dev/fuse, as root)';
  }
  const code = /Permission denied/.test(message) ? 'EACCES' : 'EPERM';
  return new DaxError(code, `${message}${advice}`, { path: mountpoint });
}

/** Escapes commas and backslashes with a backslash: commas separate the options of fusermount3. */
function escapeOption(text: string): string {
  return text.replace(/[\\,]/g, '\\$&');
}
