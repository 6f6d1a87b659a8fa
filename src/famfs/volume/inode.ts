import type { DaxDevice } from '../../dax/index.js';
import { DaxFile, type Iomap, type IomapProvider } from '../../fsdax/index.js';
import { type DaxError, fail } from '../../libc/index.js';
import { type Fmap, resolve } from '../media/fmap.js';

/** What inodes ask the famfs that they are of. */
export interface InodeHome {
  readonly dax: DaxDevice;
  /** For errors: the device as whoever mounted it names it. */
  readonly deviceName: string;
  /** The map of the bytes of a log entry. */
  fmapOf(content: number, path: string, size: number): Fmap;
  /** Called before each use. Returns the inode that is in use already, or this one, which is in use from now on. */
  used(inode: Inode): Inode;
  /** Called after the last use. */
  unused(inode: Inode): void;
  /** For errors: who device `devindex` is, as far as the log says. */
  foreignDevice(devindex: number): string;
  /** Why mappings ended, when it is the file system that ended. */
  loss(): DaxError | undefined;
}

/** In place of a log entry's number: no entry has these bytes. */
export const UNNAMED = 0;

/**
 * One file of a mounted famfs, and the answer to "where is this byte" that fs-dax asks. All handles of a file share one inode,
 * and the folios of the file point to its DaxFile.
 */
export class Inode implements IomapProvider {
  /** From the volume's root, with a leading slash. */
  readonly path: string;
  readonly size: number;
  /** The inode number of the log entry that has its bytes, or UNNAMED. */
  readonly content: number;
  #dax: DaxFile | undefined;
  #uses = 0;
  #fmap: Fmap | undefined;
  readonly #home: InodeHome;
  readonly #isShared: boolean;

  /**
   * @param isShared another file names the same space (clone)
   * @param fmap where its bytes are; of a log entry it is looked up when somebody asks: most files that are made are closed before that
   */
  constructor(home: InodeHome, path: string, size: number, content: number, isShared: boolean, fmap?: Fmap) {
    this.#home = home;
    this.path = path;
    this.size = size;
    this.content = content;
    this.#isShared = isShared;
    this.#fmap = fmap;
  }

  /** Most files that are made or looked at are closed again before anybody reads them. */
  get dax(): DaxFile {
    this.#dax ??= new DaxFile(this.#home.dax, this);
    return this.#dax;
  }

  get fmap(): Fmap {
    this.#fmap ??= this.#home.fmapOf(this.content, this.path, this.size);
    return this.#fmap;
  }

  get name(): string {
    return `${this.path} on ${this.#home.dax.name}`;
  }

  loss(): DaxError | undefined {
    return this.#home.loss();
  }

  /** @throws DaxError ENODEV when some of the file lies on a device that is not here */
  assertHere(): void {
    const away = this.fmap.extents.find(({ devindex }) => devindex !== 0);
    if (away) this.#failAway(this.name, away.devindex);
  }

  #failAway(what: string, devindex: number): never {
    fail(
      'ENODEV',
      `${what} lies on ${this.#home.foreignDevice(devindex)}, which is not here: udax reads volumes of one device`,
      { path: this.path },
    );
  }

  /** Counts one more open handle or pin, to be ended by release(). @returns the inode that all of them share */
  use(): Inode {
    const shared = this.#home.used(this);
    shared.#uses++;
    return shared;
  }

  /** Ends one use. The last one forgets the pages, which takes milliseconds for a GiB that was mapped. */
  release(): void {
    if (--this.#uses > 0) return;
    // A page that somebody else pins keeps its entry, and the file its inode, until unmount.
    if (this.#dax && !this.#dax.tryBreakLayout()) return;
    this.#home.unused(this);
  }

  /** Ends every mapping and forgets every page, whoever uses them: the volume is unmounted. */
  forget(): void {
    this.#dax?.forget();
  }

  iomap(offset: number, length: number): Iomap {
    const piece = this.#resolve(offset);
    if (piece.devindex !== 0) this.#failAway(`byte ${offset} of ${this.name}`, piece.devindex);
    const bytes = Math.min(length, piece.length);
    if (piece.offset + bytes > this.#home.dax.size) {
      fail(
        'EIO',
        `bytes from ${offset} of ${this.name} lie at device offset ${piece.offset}..${piece.offset + bytes}, past the ` +
          `device's end at ${this.#home.dax.size}: the volume is damaged (fsck() tells) or was made for a bigger device`,
        { path: this.path, ...this.#askFsck() },
      );
    }
    return { type: 'mapped', offset, length: bytes, address: piece.offset, shared: this.#isShared };
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
    return { hint: 'fsck', hintPath: this.#home.deviceName } as const;
  }
}
