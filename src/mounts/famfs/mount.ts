import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type FuseSession,
  type FuseSessionEnd,
  type FuseUnmountOptions,
  type NodeId,
  startSession,
  workerFile,
} from '../../fuse/index.js';
import {
  callback,
  checkArguments,
  checkMethods,
  fail,
  flag,
  hasCode,
  number,
  oneOf,
  optional,
  options as optionsOf,
  text,
} from '../../libc/index.js';
import { absoluteRoot, defaultRoot, isDeviceName, stateDirectoryOf } from '../../machine/index.js';
import { mustNotHideState } from '../places.js';
import type { FamfsQuestion } from './file-system.js';

/** How often a mount looks for what others published: what a new name at most takes to appear where its absence was seen. */
const TICK_MILLISECONDS = 100;

/** How long an unmount waits for a file system that does not answer. */
const PUBLISH_TIMEOUT_MS = 3000;

/** The session has ended, the device went away, or the volume was formatted anew. */
const GONE = ['ENOTCONN', 'ENXIO', 'ENODEV', 'ESTALE'];

/** As long as programs take between closing a file and saying what it is. */
const SETTLE_MILLISECONDS = 1000;

/** What the kernel may read ahead; only root can set it. */
const READAHEAD_BYTES = 2 ** 20;

const mountOptions = optional(
  optionsOf({
    root: optional(text),
    stateDirectory: optional(text),
    readOnly: optional(flag),
    role: optional(oneOf('master', 'client')),
    clientWrites: optional(flag),
    allowOther: optional(flag),
    xattrs: optional(flag),
    settleMilliseconds: optional(number),
    by: optional(oneOf('mount', 'fusermount3')),
    onWire: optional(callback),
    onReport: optional(callback),
    tellRefusals: optional(flag),
  }),
);

export interface FamfsMountOptions {
  /** State directory of the machine; default as everywhere ($UDAX_ROOT ...). */
  root?: string;
  /** Of the kernel's bus (root `kernel:`): where the state of this host is. */
  stateDirectory?: string;
  /** Mounts `ro`: the kernel answers EROFS by itself. Nothing is written to the volume. */
  readOnly?: boolean;
  /** Default: master when this host owns the volume, else client. */
  role?: 'master' | 'client';
  /** On a client: files that are there can be written, as MountOptions.clientWrites says. */
  clientWrites?: boolean;
  /** Other users may use it too (root, or user_allow_other in /etc/fuse.conf). Modes and owners are checked either way. */
  allowOther?: boolean;
  /**
   * Whether `user.famfs.*` are there. Default true; false spares the kernel one or two questions a file that `ls -l` asks about ACLs.
   */
  xattrs?: boolean;
  /**
   * What was made through the mount is published when it was closed and unchanged for this long, default 1000: the log says mode and
   * owner once, and programs set them after close. 0: at close. fsync(2), publish() and unmount() do not wait.
   */
  settleMilliseconds?: number;
  /** How to mount; default mount(2) for root, else fusermount3. */
  by?: 'mount' | 'fusermount3';
  /** Every FUSE message as a readable line. */
  onWire?: (line: string) => void;
  /** Errors that were survived; default: a line on stderr. */
  onReport?: (error: Error) => void;
  /** Whether onReport also hears, once a kind, why calls were refused. Default false. */
  tellRefusals?: boolean;
}

/** What the worker gets (structured clone). */
export interface FamfsMountData {
  root: string;
  stateDirectory: string;
  device: string;
  readOnly: boolean;
  clientWrites: boolean;
  xattrs: boolean;
  settleMilliseconds: number;
  role?: 'master' | 'client';
}

/** A famfs that is mounted as a directory, served by this process. */
export class FamfsMount {
  readonly mountpoint: string;
  /** Resolves when the mount is gone, for whatever reason; never rejects. */
  readonly closed: Promise<FuseSessionEnd>;
  readonly session: FuseSession;
  readonly #timer: NodeJS.Timeout;
  #ticking = false;

  /** @internal mountFamfsAt() makes them. */
  static over(session: FuseSession): FamfsMount {
    return new FamfsMount(session);
  }

  private constructor(session: FuseSession) {
    this.session = session;
    this.mountpoint = session.mountpoint;
    this.closed = session.closed;
    this.#timer = setInterval(() => void this.#tick(), TICK_MILLISECONDS);
    this.#timer.unref();
    void this.closed.then(() => clearInterval(this.#timer));
  }

  /**
   * Publishes what was made through the mount and is closed, and makes what was stored past the mount (mappings of other processes) visible to those who mapped files through it: their
   * pages are copies. Reads need it only where this host cannot write the file. Volume.publish() in any process of this host
   * has the same effect within 0.1 s.
   * @throws DaxError ENOSPC, EIO ... something could not be published; it still waits
   * @param path from the volume's root; default: every file somebody opened through the mount
   */
  async publish(path?: string): Promise<void> {
    await this.#invalidate(path === undefined ? 'publish' : { publish: path });
  }

  /** Takes in what was published since; done ten times a second anyway. */
  async refresh(): Promise<void> {
    await this.#invalidate('tick');
  }

  /**
   * Publishes what was made through the mount, then takes it down, busy or not; never hangs. Idempotent.
   * @throws DaxError ENOSPC, EIO ... something could not be published: the mount stays, since it would be lost. `whenBusy: 'abort'`
   *   takes it down all the same
   */
  async unmount(options?: FuseUnmountOptions): Promise<void> {
    if (options?.whenBusy !== 'abort') await this.#publishLast();
    await this.session.unmount(options);
  }

  async #publishLast(): Promise<void> {
    const tooLong = new AbortController();
    try {
      await Promise.race([
        this.session.call('publish' satisfies FamfsQuestion),
        delay(PUBLISH_TIMEOUT_MS, undefined, { signal: tooLong.signal }),
      ]);
    } catch (error) {
      // A volume that is gone takes nothing any more: to wait would not help.
      if (!hasCode(error, ...GONE)) throw error;
    } finally {
      tooLong.abort();
    }
  }

  async #tick(): Promise<void> {
    if (this.#ticking) return;
    this.#ticking = true;
    try {
      await this.#invalidate('tick');
    } catch {
      // The device went away or was formatted anew: everybody who uses the mount gets that error themselves.
    } finally {
      this.#ticking = false;
    }
  }

  async #invalidate(question: FamfsQuestion): Promise<void> {
    const nodes = (await this.session.call(question)) as NodeId[];
    for (const node of nodes) await this.session.invalidateInode(node, 0, 0);
  }
}

/**
 * Mounts the famfs on a device as a directory: any program reads its files, from the one memory.
 * @param device a name (`dax0.0`), a device node or an image file
 * @throws DaxError as mountFamfs() for the device; ENOENT, ENOTDIR for the directory; EPERM, EACCES mount rights;
 *   EBUSY it would hide the state directory or the memory
 */
export async function mountFamfsAt(
  device: string,
  mountpoint: string,
  options: FamfsMountOptions = {},
): Promise<FamfsMount> {
  checkArguments('mountFamfsAt', [device, mountpoint, options], {
    device: text,
    mountpoint: text,
    options: mountOptions,
  });
  const { readOnly = false, clientWrites = false, allowOther = false, xattrs = true } = options;
  const { role, by, onWire, onReport, settleMilliseconds = SETTLE_MILLISECONDS } = options;
  if (!Number.isFinite(settleMilliseconds) || settleMilliseconds < 0)
    fail('EINVAL', `settleMilliseconds is ${settleMilliseconds}: it is a time, 0 or longer`);
  const where = isDeviceName(device) ? device : resolve(device);
  const root = absoluteRoot(options.root ?? defaultRoot());
  const stateDirectory = options.stateDirectory ?? stateDirectoryOf(root);
  mustNotHideState(mountpoint, stateDirectory);
  const data: FamfsMountData = {
    root,
    stateDirectory,
    device: where,
    readOnly,
    clientWrites,
    xattrs,
    settleMilliseconds,
    ...(role && { role }),
  };
  const isRoot = process.geteuid?.() === 0;
  const session = await startSession({
    mountpoint,
    mount: {
      source: where,
      subtype: 'udax',
      readOnly,
      allowOther,
      defaultPermissions: true,
      ...(by && { by }),
    },
    connection: {
      posixAcl: xattrs,
      handleKillPrivileges: true,
      ...(isRoot && { readaheadBytes: READAHEAD_BYTES }),
    },
    fileSystem: { moduleUrl: workerFile('module.js', import.meta.url), data },
    ...(onWire && { onWire }),
    ...(onReport && { onReport }),
    tellRefusals: options.tellRefusals ?? false,
  });
  return FamfsMount.over(session);
}

checkMethods(FamfsMount, {
  publish: { path: optional(text) },
  unmount: { options: optional(optionsOf({ whenBusy: optional(oneOf('abort', 'fail')) })) },
});
