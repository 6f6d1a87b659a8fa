import type { DaxDevice } from '../../dax/index.js';
import { DaxFile, type Iomap, type IomapProvider } from '../../fsdax/index.js';
import { type DaxError, fail } from '../../libc/index.js';
import { type Fmap, resolve } from '../media/fmap.js';

export interface InodeOptions {
  /** From the volume's root, with a leading slash. */
  path: string;
  /** For errors: the device as whoever mounted it names it. */
  deviceName: string;
  size: number;
  /** Or how to get it: most files that are made are closed again before anybody asks where they are. */
  fmap: Fmap | (() => Fmap);
  /** Another file names the same space (clone). */
  shared?: boolean;
  /** Called before each use. Returns the inode that is in use already, or this one, which is in use from now on. */
  first?: (inode: Inode) => Inode;
  /** Called after the last use. */
  unused?: () => void;
  /** For errors: who device `devindex` is, as far as the log says. */
  foreignDevice: (devindex: number) => string;
  /** Why mappings ended, when it is the file system that ended. */
  loss?: () => DaxError | undefined;
}

/**
 * One file of a mounted famfs, and the answer to "where is this byte" that fs-dax asks. All handles of a file share one inode,
 * and the folios of the file point to its DaxFile.
 */
export class Inode implements IomapProvider {
  readonly path: string;
  readonly size: number;
  #dax: DaxFile | undefined;
  #uses = 0;
  #fmap: Fmap | undefined;
  readonly #device: DaxDevice;
  readonly #options: InodeOptions;

  constructor(device: DaxDevice, options: InodeOptions) {
    this.path = options.path;
    this.size = options.size;
    this.#device = device;
    this.#options = options;
  }

  /** Most files that are made or looked at are closed again before anybody reads them. */
  get dax(): DaxFile {
    this.#dax ??= new DaxFile(this.#device, this);
    return this.#dax;
  }

  get fmap(): Fmap {
    const { fmap } = this.#options;
    this.#fmap ??= typeof fmap === 'function' ? fmap() : fmap;
    return this.#fmap;
  }

  get name(): string {
    return `${this.path} on ${this.#device.name}`;
  }

  loss(): DaxError | undefined {
    return this.#options.loss?.();
  }

  /** @throws DaxError ENODEV when some of the file lies on a device that is not here */
  assertHere(): void {
    const away = this.fmap.extents.find(({ devindex }) => devindex !== 0);
    if (away) this.#failAway(this.name, away.devindex);
  }

  #failAway(what: string, devindex: number): never {
    fail(
      'ENODEV',
      `${what} lies on ${this.#options.foreignDevice(devindex)}, which is not here: udax reads volumes of one device`,
      { path: this.path },
    );
  }

  /** Counts one more open handle or pin, to be ended by release(). @returns the inode that all of them share */
  use(): Inode {
    const shared = this.#options.first?.(this) ?? this;
    shared.#uses++;
    return shared;
  }

  /** Ends one use. The last one forgets the pages, which takes milliseconds for a GiB that was mapped. */
  release(): void {
    if (--this.#uses > 0) return;
    // A page that somebody else pins keeps its entry, and the file its inode, until unmount.
    if (this.#dax && !this.#dax.tryBreakLayout()) return;
    this.#options.unused?.();
  }

  /** Ends every mapping and forgets every page, whoever uses them: the volume is unmounted. */
  forget(): void {
    this.#dax?.forget();
  }

  iomap(offset: number, length: number): Iomap {
    const piece = this.#resolve(offset);
    if (piece.devindex !== 0) this.#failAway(`byte ${offset} of ${this.name}`, piece.devindex);
    const bytes = Math.min(length, piece.length);
    if (piece.offset + bytes > this.#device.size) {
      fail(
        'EIO',
        `bytes from ${offset} of ${this.name} lie at device offset ${piece.offset}..${piece.offset + bytes}, past the ` +
          `device's end at ${this.#device.size}: the volume is damaged (fsck() tells) or was made for a bigger device`,
        { path: this.path, ...this.#askFsck() },
      );
    }
    const shared = this.#options.shared === true;
    return { type: 'mapped', offset, length: bytes, address: piece.offset, shared };
  }

  #resolve(offset: number) {
    try {
      return resolve(this.fmap, offset);
    } catch (cause) {
      return fail(
        'EIO',
        `${this.name} has ${this.size} bytes, but its extents end before byte ${offset}: fsck() tells more`,
        { path: this.path, ...this.#askFsck(), cause },
      );
    }
  }

  #askFsck() {
    return { hint: 'fsck', hintPath: this.#options.deviceName } as const;
  }
}
