import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fsck, openMachine, openVolume } from '../../src/index.js';
import { type FamfsMount, mountFamfsAt } from '../../src/mounts/index.js';
import { type Ended, run } from './program.js';

const ONE_HOUR_MS = 3_600_000;

/** A new volume in shared memory and a FUSE mount of it, for one suite. */
export class MountedVolume {
  readonly path: string;
  readonly #directory: string;
  readonly #root: string;
  readonly #mount: FamfsMount;

  private constructor(directory: string, root: string, mount: FamfsMount) {
    this.#directory = directory;
    this.#root = root;
    this.#mount = mount;
    this.path = mount.mountpoint;
  }

  /**
   * @param files published before the mount, with their sizes
   * @param settles false: new files stay unpublished until the mount ends, so that they can be removed, truncated and changed
   */
  static async make(files: Record<string, number>, settles: boolean): Promise<MountedVolume> {
    const directory = mkdtempSync('/dev/shm/udax-peers-');
    chmodSync(directory, 0o755);
    const root = join(directory, 'root');
    const volume = openVolume(root, { size: '2GiB' });
    for (const [name, size] of Object.entries(files))
      volume.create(`/${name}`, { size, mode: 0o666 }).close();
    volume.close();
    const at = join(directory, 'mnt');
    mkdirSync(at);
    const options = { root, allowOther: true, settleMilliseconds: settles ? 0 : ONE_HOUR_MS };
    return new MountedVolume(directory, root, await mountFamfsAt('dax0.0', at, options));
  }

  /** Runs a program in the mount. */
  run(program: string, args: readonly string[], milliseconds: number, cwd = this.path): Promise<Ended> {
    return run(program, args, { cwd, milliseconds });
  }

  /** Ends the mount. @returns the errors that fsck finds on the volume */
  async end(): Promise<string[]> {
    try {
      await this.#mount.unmount();
      const machine = openMachine(this.#root);
      try {
        return fsck(machine.device('dax0.0')).errors.map(({ message }) => message);
      } finally {
        machine.close();
      }
    } finally {
      rmSync(this.#directory, { recursive: true, force: true });
    }
  }

  /** Writes a script beside the mount. */
  script(text: string): string {
    const path = join(this.#directory, 'script');
    writeFileSync(path, text);
    return path;
  }
}
