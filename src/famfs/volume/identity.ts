import { DaxError, fail } from '../../libc/index.js';
import { superblockLayout } from '../media/layout.js';
import type { DeviceMedia } from './device-media.js';

type FieldPlace = { offset: number; size: number };

/** The error of everything that is still open of a file system that is not there any more. */
export function staleError(name: string): DaxError {
  return new DaxError(
    'ESTALE',
    `${name} was formatted anew or rewritten while it was mounted: close the volume and mount it again`,
    { path: name },
  );
}

/**
 * Lets others use a device again. A lock that the kernel refuses to change is asked for once more. When that fails too, they stay out
 * until the volume is closed: what was done with the device is done.
 */
export function letOthersIn(release: () => void): void {
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      release();
      return;
    } catch (error) {
      if (!(error instanceof DaxError)) throw error;
    }
  }
}

/** Which file system was mounted: the superblock as it was then, and whether the memory still says the same. */
export class Identity {
  readonly #media: DeviceMedia;
  readonly #words: Uint32Array;
  readonly #asMounted: Uint32Array;

  /** Taken before anything else is read, so that a change while it is read is noticed. */
  constructor(media: DeviceMedia) {
    this.#media = media;
    media.invalidate(0, superblockLayout.size);
    const bytes = media.view(0, superblockLayout.size);
    this.#words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    media.assertThere(0, superblockLayout.size);
    this.#asMounted = this.#words.slice();
  }

  /** Whether it is the same file system. A new file system, and a rewritten one, have another uuid. @throws DaxError EIO */
  isSame(): boolean {
    const { uuid, magic } = superblockLayout.fields;
    this.#media.assertThere(0, superblockLayout.size);
    this.#media.invalidate(0, superblockLayout.size);
    return this.#isAsMounted(magic) && this.#isAsMounted(uuid);
  }

  /** A master that was stopped during a take-over must not write beside the new master. @throws DaxError EROFS */
  assertSameOwner(name: string): void {
    if (this.#isAsMounted(superblockLayout.fields.systemUuid)) return;
    fail(
      'EROFS',
      `${name} was taken over by another host while it was mounted: this host is a client of it now; mount it again to read it`,
      { path: name },
    );
  }

  #isAsMounted({ offset, size }: FieldPlace): boolean {
    for (let word = offset / 4; word < (offset + size) / 4; word++) {
      if (this.#words[word] !== this.#asMounted[word]) return false;
    }
    return true;
  }
}
