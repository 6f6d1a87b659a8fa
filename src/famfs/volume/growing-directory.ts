import type { MountedFamfs } from './mounted.js';
import { permissions } from './name-rules.js';
import { type ComingDirectory, type GrowingOptions, KeptName, type NewPlace } from './new-name.js';

/**
 * A directory in the making: its name is kept now, and it is logged later, with the mode and owner it has then. Files and
 * directories inside it can be made meanwhile (`NewPlace`); they are published after it. end() without publish() leaves no
 * trace, and neither does the death of this process.
 */
export class GrowingDirectory implements ComingDirectory {
  mode: number;
  uid: number;
  gid: number;
  readonly #mounted: MountedFamfs;
  /** Its name, which can be moved until it is published. */
  readonly name: KeptName;
  #ino: number | null = null;

  /** VolumeInodes.growDirectory() makes it. */
  constructor(mounted: MountedFamfs, place: NewPlace, options: GrowingOptions) {
    const { mode, uid, gid } = options;
    this.#mounted = mounted;
    this.mode = permissions(mode, typeof place === 'string' ? place : place.name);
    this.uid = uid;
    this.gid = gid;
    this.name = new KeptName(mounted, place, options);
  }

  get logPath(): string {
    return this.name.logPath;
  }

  get ino(): number | null {
    return this.#ino;
  }

  /**
   * Publishes the directory.
   * @returns its inode number
   * @throws DaxError EEXIST the name was taken meanwhile; ENOENT the parent directory is not published; ENOSPC log full
   */
  publish(): number {
    const mounted = this.#mounted;
    const { mode, uid, gid } = this;
    const ino = mounted.session(() => this.name.publish({ kind: 'mkdir', mode, uid, gid }));
    this.#ino = ino;
    this.end();
    return ino;
  }

  /** Gives the name back. Idempotent. */
  end(): void {
    this.name.release();
  }
}
