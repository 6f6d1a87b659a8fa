import fs from 'node:fs';
import { type FuseSession, fuseMountAt, type NodeId } from '../../../fuse/index.js';
import { asDaxError, cloneMount, closeDescriptor } from '../../../libc/index.js';
import type { ZeroCopyQuestion, ZeroCopyRequest } from './file-system.js';
import { FIRST_OWN_NODE } from './own-files.js';
import { isUsedByOthers } from './users.js';

const META = '.meta';
const FIRST_FILE = '.device';
/** How often users of a detached mount are looked for. */
const LOOK_MS = 1000;

/**
 * Opens and closes the hidden files of a zero-copy mount, for the worker that serves it: in the main thread, because the worker must
 * answer what open(2) and close(2) ask. The files are opened through a copy of the mount that lies nowhere. So they do not make the
 * mount busy: umount(8) works as on any other. The file system itself lives until they are closed, which the main thread does when the
 * mount is gone.
 */
export class OwnFileOpener {
  readonly #session: FuseSession;
  readonly #tree: number;
  readonly #flags: string;
  readonly #report: (error: Error) => void;
  readonly #open = new Set<number>();
  #isEnded = false;
  #lookAgainAt = 0;

  private constructor(session: FuseSession, readOnly: boolean, report: (error: Error) => void) {
    this.#session = session;
    this.#flags = readOnly ? 'r' : 'r+';
    this.#report = report;
    this.#tree = cloneMount(session.mountpoint);
  }

  /** Opens the first files, and makes the worker mount the volume. @throws DaxError what that threw */
  static async begin(
    session: FuseSession,
    readOnly: boolean,
    report: (error: Error) => void,
  ): Promise<OwnFileOpener> {
    const opener = new OwnFileOpener(session, readOnly, report);
    try {
      const names = (await opener.#pass(FIRST_FILE)) as string[];
      for (const name of names) await opener.#pass(name);
      await session.call('begin' satisfies ZeroCopyQuestion);
      return opener;
    } catch (error) {
      // The worker still answers, so the files can be closed now.
      await opener.end();
      throw error;
    }
  }

  /** Takes a message of the worker. @returns whether it was for this object */
  hear(message: unknown): boolean {
    const { zeroCopy, name, fd } = (message ?? {}) as Partial<ZeroCopyRequest>;
    if (zeroCopy === undefined || name === undefined) return false;
    if (this.#isEnded) return true;
    if (zeroCopy === 'open') this.#watch(this.#pass(name));
    else if (fd !== undefined) this.#watch(this.#giveUp(name, fd));
    return true;
  }

  /**
   * Whether the mount is still there, or in use after it was detached (umount -l). The files of the server itself would keep it alive
   * for ever. Slow once it is not where it was made: it looks at all processes then, at most once a second.
   */
  get isNeeded(): boolean {
    const { mountpoint, connectionId } = this.#session;
    if (fuseMountAt(mountpoint)?.connectionId === connectionId) return true;
    if (performance.now() < this.#lookAgainAt) return true;
    this.#lookAgainAt = performance.now() + LOOK_MS;
    return isUsedByOthers(connectionId);
  }

  /** Closes everything, once the connection has ended: nobody answers a FLUSH then. Idempotent. */
  async end(): Promise<void> {
    if (this.#isEnded) return;
    this.#isEnded = true;
    await Promise.all([...this.#open].map(closeFile));
    this.#open.clear();
    closeDescriptor(this.#tree);
  }

  async #pass(name: string): Promise<unknown> {
    const fd = await openFile(`/proc/self/fd/${this.#tree}/${META}/${name}`, this.#flags);
    this.#open.add(fd);
    return await this.#session.call({ opened: name, fd } satisfies ZeroCopyQuestion);
  }

  /** Closes a file and has the kernel drop its name, and so its inode. */
  async #giveUp(name: string, fd: number): Promise<void> {
    if (!this.#open.delete(fd)) return;
    await closeFile(fd);
    await this.#session.invalidateEntry(FIRST_OWN_NODE as NodeId, name);
  }

  #watch(done: Promise<unknown>): void {
    done.catch((error: Error) => {
      if (!this.#isEnded) this.#report(error);
    });
  }
}

function closeFile(fd: number): Promise<void> {
  return new Promise((resolve) => fs.close(fd, () => resolve()));
}

function openFile(file: string, flags: string): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.open(file, flags, (error, fd) => {
      if (error) reject(asDaxError(error, 'opening a file of the mount itself', file));
      else resolve(fd);
    });
  });
}
