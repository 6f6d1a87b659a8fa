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
  /** Called when the first handle opens (true) and when the last has closed (false). */
  onUsed?: (isUsed: boolean) => void;
  /** For errors: who device `devindex` is, as far as the log says. */
  foreignDevice: (devindex: number) => string;
  /** Why mappings ended, when it is the file system that ended. */
  loss?: () => DaxError | undefined;
}

/**
 * One file of a mounted famfs, and the answer to "where is this byte" that fs-dax asks. There is one for
 * each file that is open, whoever opened it: its DaxFile is what the folios of the file point to.
 */
export class Inode implements IomapProvider {
  readonly path: string;
  readonly size: number;
  readonly dax: DaxFile;
  #opens = 0;
  #fmap: Fmap | undefined;
  readonly #device: DaxDevice;
  readonly #options: InodeOptions;

  constructor(device: DaxDevice, options: InodeOptions) {
    this.path = options.path;
    this.size = options.size;
    this.#device = device;
    this.#options = options;
    this.dax = new DaxFile(device, this);
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

  /** One more handle. */
  open(): void {
    if (this.#opens++ === 0) this.#options.onUsed?.(true);
  }

  /** One handle less; the pages are forgotten with the last. */
  close(): void {
    if (--this.#opens > 0) return;
    // A page that somebody else pins keeps its entry, and the file its inode, until unmount.
    if (this.dax.layoutBusyPage() >= 0) return;
    this.dax.breakLayout();
    this.#options.onUsed?.(false);
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
