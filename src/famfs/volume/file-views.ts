import type { DaxMapping } from '../../fsdax/index.js';
import { type DaxError, whenClosed, whenCollected } from '../../libc/index.js';
import { report } from './events.js';
import type { Inode } from './inode.js';
import type { OpenFileHost } from './open-file-host.js';
import { ViewPin } from './views.js';

/**
 * The views that one open file gave out, and the listeners to tell when memory under them is lost. The views keep this object alive, and it
 * keeps the inode and the volume alive. It does not keep the VolumeFile: a dropped VolumeFile ends with the last of its views.
 */
export class FileViews {
  readonly #inode: Inode;
  readonly #host: OpenFileHost;
  readonly #mappings = new Map<string, DaxMapping>();
  readonly #lost: ((error: DaxError) => void)[] = [];
  #lostController: AbortController | undefined;
  #isClosed = false;

  /** @param inode the use of it that the handle had; this object ends that use when it is closed or collected */
  constructor(inode: Inode, host: OpenFileHost) {
    this.#inode = inode;
    this.#host = host;
    whenCollected(this, inode.name, releasing(inode));
  }

  /** The mapping of a span: the one that is there, unless it ended or was moved away. @throws DaxError as VolumeFile.map() */
  map(offset: number, length: number, writable: boolean): DaxMapping {
    const key = `${offset}+${length}${writable ? 'w' : ''}`;
    const known = this.#mappings.get(key);
    if (known?.alive && !known.isMoved) return known;
    const { dax, path } = this.#inode;
    const mapping = dax.map(offset, length, { writable });
    // Its views were moved to another thread. Their memory stays mapped there, and this file no longer uses it.
    known?.close();
    this.#mappings.set(key, mapping);
    this.#host.viewed(this, true);
    report('map', () => ({ path, offset, length, writable }));
    mapping.onLost((error) => {
      this.#forget(key, mapping);
      this.#tellLost(error);
    });
    mapping.onCollected(() => this.#forget(key, mapping));
    return mapping;
  }

  /** Ends all mappings of the span that a view shows. @returns false when it shows none */
  unmap(view: ArrayBufferView): boolean {
    const shown = [...this.#mappings].filter(([, mapping]) => mapping.shows(view));
    for (const [key, mapping] of shown) {
      mapping.close();
      this.#forget(key, mapping);
    }
    return shown.length > 0;
  }

  /** Adds a use of the span, the inode and the mount that close() of the file or the volume does not end. Undefined when the view is not of this file. */
  pin(view: ArrayBufferView): ViewPin | undefined {
    for (const mapping of this.#mappings.values()) {
      if (!mapping.shows(view) || view.byteLength === 0) continue;
      const pinned = mapping.again();
      // The mapping tells of a loss itself until the file is closed.
      pinned.onLost((error) => {
        if (this.#isClosed) this.#tellLost(error);
      });
      return new ViewPin(
        `pin on ${this.#inode.path}`,
        releasingPin(pinned, this.#inode.use(), this.#host.keepMounted()),
      );
    }
    return undefined;
  }

  onLost(listener: (error: DaxError) => void): void {
    this.#lost.push(listener);
  }

  /** A file that meets no loss costs no controller; one that asks for the signal later still learns of it. */
  get lost(): AbortSignal {
    this.#lostController ??= new AbortController();
    return this.#lostController.signal;
  }

  /** Ends all of it. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const mapping of this.#mappings.values()) mapping.close();
    this.#mappings.clear();
    this.#host.viewed(this, false);
    whenClosed(this);
    this.#inode.release();
  }

  #tellLost(error: DaxError): void {
    this.#lostController ??= new AbortController();
    this.#lostController.abort(error);
    const { path } = this.#inode;
    report('lost', () => ({ path, error }));
    for (const listener of this.#lost) listener(error);
  }

  #forget(key: string, mapping: DaxMapping): void {
    if (this.#mappings.get(key) === mapping) this.#mappings.delete(key);
    if (this.#mappings.size === 0) this.#host.viewed(this, false);
  }
}

/** Does not reach the file, so that a dropped one can be collected. */
function releasing(inode: Inode): () => void {
  return () => inode.release();
}

/** Does not reach the pin, so that a dropped one can be collected. */
function releasingPin(mapping: DaxMapping, inode: Inode, leave: () => void): () => void {
  return () => {
    mapping.close();
    inode.release();
    leave();
  };
}
