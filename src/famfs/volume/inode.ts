import type { DaxDevice } from '../../dax/index.js';
import { DaxFile, type Iomap, type IomapProvider } from '../../fsdax/index.js';
import { fail } from '../../libc/index.js';
import { type Fmap, resolve } from '../media/fmap.js';

export interface InodeOptions {
  /** From the volume's root, with a leading slash. */
  path: string;
  size: number;
  fmap: Fmap;
  /** Another file names the same space (clone). */
  shared?: boolean;
  /** Called when the first handle opens (true) and when the last has closed (false). */
  onUsed?: (isUsed: boolean) => void;
  /** For errors: who device `devindex` is, as far as the log says. */
  foreignDevice: (devindex: number) => string;
}

/**
 * One file of a mounted famfs, and the answer to "where is this byte" that fs-dax asks. There is one for
 * each file that is open, whoever opened it: its DaxFile is what the folios of the file point to.
 */
export class Inode implements IomapProvider {
  readonly path: string;
  readonly size: number;
  readonly fmap: Fmap;
  readonly dax: DaxFile;
  #opens = 0;
  readonly #device: DaxDevice;
  readonly #options: InodeOptions;

  constructor(device: DaxDevice, options: InodeOptions) {
    this.path = options.path;
    this.size = options.size;
    this.fmap = options.fmap;
    this.#device = device;
    this.#options = options;
    this.dax = new DaxFile(device, this);
  }

  get name(): string {
    return `${this.path} on ${this.#device.name}`;
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
    if (piece.devindex !== 0) {
      fail(
        'ENODEV',
        `byte ${offset} of ${this.name} lies on ${this.#options.foreignDevice(piece.devindex)}, ` +
          'which is not here: udax reads volumes of one device',
        { path: this.path },
      );
    }
    const bytes = Math.min(length, piece.length);
    if (piece.offset + bytes > this.#device.size) {
      fail(
        'EIO',
        `bytes from ${offset} of ${this.name} lie at device offset ${piece.offset}..${piece.offset + bytes}, past the ` +
          `device's end at ${this.#device.size}: the volume is damaged (udax fsck) or was made for a bigger device`,
        { path: this.path },
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
        `${this.name} has ${this.size} bytes, but its extents end before byte ${offset}: run udax fsck`,
        { path: this.path, cause },
      );
    }
  }
}
