import type { DaxDevice } from '../../dax/index.js';
import { fail } from '../../libc/index.js';
import { ImageDevice } from '../image/image.js';
import type { Hold, HoldOptions, MachineDevice } from '../types.js';

export interface NodeOptions {
  /** State directory of this host: its uuid, and its state per file system. */
  root: string;
  /** Root of the sysfs tree that has the device. */
  sysfs: string;
  /** Default: writable if this user may write the node. */
  writable?: boolean;
}

/**
 * A named device of the kernel, used through its node. The node is opened at the first use and closed when the last hold ends,
 * because an open node blocks every mode change.
 */
export class KernelDevice implements MachineDevice {
  #opened: ImageDevice | undefined;
  #holds = 0;
  #closed = false;
  readonly #node: string;
  readonly #options: NodeOptions;

  constructor(
    readonly name: string,
    node: string,
    options: NodeOptions,
  ) {
    this.#node = node;
    this.#options = options;
  }

  get dax(): DaxDevice {
    return this.#device.dax;
  }

  get systemUuid(): string {
    return this.#device.systemUuid;
  }

  get writable(): boolean {
    return this.#device.writable;
  }

  get reservations(): string {
    return this.#device.reservations;
  }

  hold(purpose: string, options?: HoldOptions): Hold {
    const hold = this.#heldNow(purpose, options);
    this.#holds++;
    let isHeld = true;
    return {
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        hold.release();
        if (--this.#holds === 0) this.#end();
      },
      takeAlone: () => hold.takeAlone(),
    };
  }

  close(): void {
    this.#closed = true;
    this.#end();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #heldNow(purpose: string, options: HoldOptions | undefined): Hold {
    try {
      return this.#device.hold(purpose, options);
    } catch (error) {
      if (this.#holds === 0) this.#end();
      throw error;
    }
  }

  get #device(): ImageDevice {
    if (this.#closed)
      fail('EBADF', `${this.name} was closed: ask the machine for it again`, { path: this.name });
    this.#opened ??= ImageDevice.open(this.#node, this.#options);
    return this.#opened;
  }

  #end(): void {
    this.#opened?.close();
    this.#opened = undefined;
    this.#holds = 0;
  }
}
