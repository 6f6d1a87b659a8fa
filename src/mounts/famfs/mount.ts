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
  DaxError,
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
import type { FamfsFigures, FamfsMountFigures, FamfsQuestion } from './figures.js';
import type { ZeroCopy, ZeroCopyDevice } from './zero-copy/door.js';
import { type Begin, type ZeroCopyUse, zeroCopyMount } from './zero-copy/mounting.js';

/** How often a mount looks for new log entries. A name that a program has seen missing appears at most this much later. */
const TICK_MILLISECONDS = 100;

/** Milliseconds that unmount() waits for a file system that does not answer. */
const PUBLISH_TIMEOUT_MS = 3000;

/** The session has ended, the device went away, or the volume was formatted anew. */
const GONE = ['ENOTCONN', 'ENXIO', 'ENODEV', 'ESTALE'];

/** Default settle time: longer than programs take between closing a file and setting its mode or owner. */
const SETTLE_MILLISECONDS = 1000;

/** How much the kernel may read ahead, bytes. Only root can set it. */
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
    plain: optional(flag),
    settleMilliseconds: optional(number),
    zeroCopy: optional(oneOf('auto', 'always', 'never')),
    by: optional(oneOf('mount', 'fusermount3')),
    onWire: optional(callback),
    onReport: optional(callback),
    tellRefusals: optional(flag),
    measure: optional(flag),
  }),
);

/** How a volume is mounted. */
export interface FamfsMountOptions {
  /** State directory of the machine. Default: as everywhere ($UDAX_ROOT ...). */
  root?: string;
  /** The state directory of this host, for the kernel's bus (root `kernel:`). */
  stateDirectory?: string;
  /** Mounts with `ro`: the kernel itself answers EROFS. Nothing is written to the volume. */
  readOnly?: boolean;
  /** Default: master when this host owns the volume, else client. */
  role?: 'master' | 'client';
  /** Lets a client write existing files: see MountOptions.clientWrites. */
  clientWrites?: boolean;
  /** Other users may use the mount too. Needs root, or user_allow_other in /etc/fuse.conf. Modes and owners are checked either way. */
  allowOther?: boolean;
  /**
   * Whether the attributes `user.famfs.*` are served. Default true. False saves one or two requests a file, which `ls -l` makes for
   * ACLs.
   */
  xattrs?: boolean;
  /**
   * Shows what the log says, as C famfs does, and nothing of what the annex says (removals, renames, links, times ...); what is published
   * keeps its name, size, mode and owner then, and there are no empty files. Default: false.
   */
  plain?: boolean;
  /**
   * What is new is published when it has been closed and unchanged for this long; default 1000. Until then it costs nothing to rename,
   * change or remove it: the log never hears of it. 0 publishes at close. fsync(2), publish() and unmount() do not wait.
   */
  settleMilliseconds?: number;
  /**
   * Whether the kernel maps files to the device itself, for every program (Linux 7.4, a dax device of the kernel, root). The device is in
   * famfs mode then, and belongs to the mount. 'auto' (default): where it can; else the reason goes to onReport once, and the mount is an
   * ordinary one. 'always': an error where it cannot. 'never': an ordinary mount.
   */
  zeroCopy?: ZeroCopy;
  /** How to mount. Default: mount(2) for root, else fusermount3. */
  by?: 'mount' | 'fusermount3';
  /** Receives every FUSE message as a readable line. */
  onWire?: (line: string) => void;
  /** Receives errors that the mount survives. Default: a line on stderr. */
  onReport?: (error: Error) => void;
  /** Whether onReport is also called, once a kind, with the reasons of refused calls. Default: false. */
  tellRefusals?: boolean;
  /** Counts requests and their latencies, for figures(). Default: false. */
  measure?: boolean;
}

/** The data for the worker (structured clone). */
export interface FamfsMountData {
  root: string;
  stateDirectory: string;
  device: string;
  readOnly: boolean;
  clientWrites: boolean;
  xattrs: boolean;
  plain: boolean;
  settleMilliseconds: number;
  role?: 'master' | 'client';
  /** The device in famfs mode, for a zero-copy mount. */
  zeroCopy?: ZeroCopyDevice;
}

/** A famfs that is mounted as a directory. This process serves it. */
export class FamfsMount {
  readonly mountpoint: string;
  /** Resolves when the mount is gone, for any reason. Never rejects. */
  readonly closed: Promise<FuseSessionEnd>;
  readonly session: FuseSession;
  /** Whether the kernel maps its files to the device itself. */
  readonly isZeroCopy: boolean;
  /** Why the mount of a kernel's device became an ordinary one, if it did (`zeroCopy: 'auto'`). */
  readonly note: string | undefined;
  readonly #timer: NodeJS.Timeout;
  readonly #isNeeded: () => boolean;
  #ticking = false;
  #lookedAt = performance.now();

  /** @internal mountFamfsAt() makes mounts. @param zeroCopy tells whether the mount is still there, and closes what keeps it */
  static over(session: FuseSession, zeroCopy?: ZeroCopyUse, note?: string): FamfsMount {
    return new FamfsMount(session, zeroCopy, note);
  }

  private constructor(session: FuseSession, zeroCopy: ZeroCopyUse | undefined, note: string | undefined) {
    this.note = note;
    this.session = session;
    this.mountpoint = session.mountpoint;
    this.isZeroCopy = zeroCopy !== undefined;
    this.closed = zeroCopy ? zeroCopy.closedAfter(session.closed) : session.closed;
    this.#isNeeded = zeroCopy ? () => zeroCopy.isNeeded : () => true;
    this.#timer = setInterval(() => void this.#tick(), TICK_MILLISECONDS);
    this.#timer.unref();
    void this.closed.then(() => clearInterval(this.#timer));
  }

  /**
   * Publishes new files and directories that are closed. Also makes the kernel drop its copies of pages, so that programs that
   * mapped files through the mount see stores that other processes made past it. read(2) needs that only for files that this
   * host cannot write. Volume.publish() in any process of this host also makes the kernel drop its copies, within 0.1 s.
   * @param path the file whose pages are dropped, from the volume's root; default: every file opened through the mount
   * @throws DaxError ENOSPC, EIO and others when something could not be published; it stays in the mount
   */
  async publish(path?: string): Promise<void> {
    await this.#invalidate(path === undefined ? 'publish' : { publish: path });
  }

  /** Takes in newly published entries. The mount does it ten times a second anyway. */
  async refresh(): Promise<void> {
    await this.#invalidate('tick');
  }

  /**
   * What the mount has done and how it stands; null unless it was made with `measure`.
   * @throws DaxError ENOTCONN the mount is gone
   */
  async figures(): Promise<FamfsMountFigures | null> {
    const measured = this.session.measured();
    if (measured === null) return null;
    const own = (await this.session.call('figures' satisfies FamfsQuestion)) as FamfsFigures;
    return { ...measured, ...own, lookAge: (performance.now() - this.#lookedAt) / 1000 };
  }

  /**
   * Publishes what was made through the mount, then takes the mount down; by default also when it is busy. Never hangs. Idempotent.
   * @throws DaxError ENOSPC, EIO and others when something could not be published. The mount then stays, because that would be lost;
   *   `whenBusy: 'abort'` takes it down all the same
   */
  async unmount(options?: FuseUnmountOptions): Promise<void> {
    if (options?.whenBusy !== 'abort') await this.#publishLast();
    await this.session.unmount(options);
    await this.closed;
  }

  async #publishLast(): Promise<void> {
    const tooLong = new AbortController();
    try {
      await Promise.race([
        this.session.call('publish' satisfies FamfsQuestion),
        delay(PUBLISH_TIMEOUT_MS, undefined, { signal: tooLong.signal }),
      ]);
    } catch (error) {
      // A volume that is gone can take nothing, so the mount goes too.
      if (!hasCode(error, ...GONE)) throw error;
    } finally {
      tooLong.abort();
    }
  }

  async #tick(): Promise<void> {
    if (this.#ticking) return;
    this.#ticking = true;
    try {
      // The server's own files keep a zero-copy mount alive after umount(8), until it lets go of them.
      if (!this.#isNeeded()) await this.session.unmount();
      await this.#invalidate('tick');
      this.#lookedAt = performance.now();
    } catch {
      // The device went away or was formatted anew. Every user of the mount gets that error from their own calls.
    } finally {
      this.#ticking = false;
    }
  }

  async #invalidate(question: Exclude<FamfsQuestion, 'figures'>): Promise<void> {
    const nodes = (await this.session.call(question)) as NodeId[];
    for (const node of nodes) await this.session.invalidateInode(node, 0, 0);
  }
}

/**
 * Mounts the famfs on a device as a directory. Any program can read its files there, from the device's memory.
 * @param device a name (`dax0.0`), a device node or an image file
 * @throws DaxError as mountFamfs() for the device; ENOENT, ENOTDIR for the directory; EPERM, EACCES mount rights;
 *   EBUSY it would hide the state directory or the memory; with `zeroCopy: 'always'` also EOPNOTSUPP (no dax device of the kernel, or a
 *   kernel before 7.4), EPERM, EBUSY (another mount has the device)
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
  const { readOnly = false, clientWrites = false, xattrs = true, plain = false } = options;
  const { role, by, onReport, settleMilliseconds = SETTLE_MILLISECONDS } = options;
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
    plain,
    settleMilliseconds,
    ...(role && { role }),
  };
  const wanted = { device: where, root, stateDirectory, by };
  const begin: Begin = (zeroCopy, onMessage) => startFamfs(mountpoint, data, options, zeroCopy, onMessage);
  const report =
    onReport ?? ((error: Error) => process.stderr.write(`udax: ${mountpoint}: ${error.message}\n`));
  const when = options.zeroCopy ?? 'auto';
  const made = await zeroCopyMount(when, wanted, readOnly, begin, report, FamfsMount.over);
  if (typeof made === 'object') return made;
  if (made !== undefined) report(new Error(made));
  try {
    return FamfsMount.over(await begin(), undefined, made);
  } catch (error) {
    // The reason why the other mount failed says more: a device in famfs mode can only be mounted so.
    if (made === undefined || !(error instanceof DaxError)) throw error;
    const { code, path, hint, message } = error;
    throw new DaxError(code, `${message} (${made})`, {
      ...(path !== undefined && { path }),
      ...(hint !== undefined && { hint }),
      cause: error,
    });
  }
}

/** Starts the session that serves a mount. @param onMessage for a zero-copy mount */
function startFamfs(
  mountpoint: string,
  data: FamfsMountData,
  options: FamfsMountOptions,
  zeroCopy?: ZeroCopyDevice,
  onMessage?: (message: unknown) => void,
): Promise<FuseSession> {
  const { by, onWire, onReport, allowOther = false, tellRefusals = false, measure = false } = options;
  const isRoot = process.geteuid?.() === 0;
  return startSession({
    mountpoint,
    mount: {
      source: data.device,
      subtype: 'udax',
      readOnly: data.readOnly,
      allowOther,
      defaultPermissions: true,
      ...(by && { by }),
    },
    connection: {
      posixAcl: data.xattrs,
      handleKillPrivileges: true,
      ...(isRoot && { readaheadBytes: READAHEAD_BYTES }),
      ...(zeroCopy && { extentMaps: true }),
    },
    fileSystem: {
      moduleUrl: workerFile('mounts/famfs/module.js', import.meta.url),
      data: zeroCopy ? { ...data, zeroCopy } : data,
    },
    ...(onMessage && { onMessage }),
    ...(onWire && { onWire }),
    ...(onReport && { onReport }),
    tellRefusals,
    measure,
  });
}

checkMethods(FamfsMount, {
  publish: { path: optional(text) },
  unmount: { options: optional(optionsOf({ whenBusy: optional(oneOf('abort', 'fail')) })) },
});
