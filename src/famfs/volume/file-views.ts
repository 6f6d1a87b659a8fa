import type { DaxMapping } from '../../fsdax/index.js';
import { type DaxError, whenClosed, whenCollected } from '../../libc/index.js';
import { report } from './events.js';
import type { Inode } from './inode.js';
import type { OpenFileHost } from './open-file-host.js';
import { ViewPin } from './views.js';

/**
 * What one open file gave out, and who is told when it is lost. Views keep this, and with it the inode's pages and the volume; it
 * does not keep the VolumeFile, so that one which is dropped ends with the last of its views, and the volume can hold all
 * that have some.
 */
export class FileViews {
  readonly #inode: Inode;
  readonly #host: OpenFileHost;
  readonly #mappings = new Map<string, DaxMapping>();
  readonly #lost: ((error: DaxError) => void)[] = [];
  #lostController: AbortController | undefined;
  #isClosed = false;

  /** @param inode in use; this ends that use when it is closed or collected */
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
    // Its views were moved away: their memory stays mapped for whoever has it, and is no use of this file any more.
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

  /** One more use of span, inode and mount, that no close() of file or volume ends. Undefined when the view shows nothing of this file. */
  pin(view: ArrayBufferView): ViewPin | undefined {
    for (const mapping of this.#mappings.values()) {
      if (!mapping.shows(view) || view.byteLength === 0) continue;
      const pinned = mapping.again();
      // Until the file is closed it hears of the loss itself.
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
