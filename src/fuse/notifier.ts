import fs from 'node:fs';
import { asDaxError, hasCode } from '../libc/index.js';
import { encodeDelete, encodeInvalEntry, encodeInvalInode } from './protocol/index.js';
import type { NodeId } from './types.js';

/**
 * Sends notifications to the kernel, one after another, from a thread of libuv's pool. The kernel may make a notification wait
 * for a page that the session's worker has to fill first. So neither the worker nor the main thread may send it.
 */
export class Notifier {
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;
  readonly #deviceFd: number;
  readonly #onWire: ((message: Uint8Array) => void) | null;

  constructor(deviceFd: number, onWire: ((message: Uint8Array) => void) | null) {
    this.#deviceFd = deviceFd;
    this.#onWire = onWire;
  }

  invalidateInode(node: NodeId, offset: number, length: number): Promise<boolean> {
    return this.#send(encodeInvalInode(node, offset, length));
  }

  invalidateEntry(parent: NodeId, name: string, expireOnly: boolean): Promise<boolean> {
    return this.#send(encodeInvalEntry(parent, name, expireOnly));
  }

  notifyDelete(parent: NodeId, child: NodeId, name: string): Promise<boolean> {
    return this.#send(encodeDelete(parent, child, name));
  }

  /** Sends nothing from now on. Resolves when the notification under way is done. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#last;
  }

  #send(message: Uint8Array): Promise<boolean> {
    const sent = this.#last.then(() => this.#write(message));
    this.#last = sent.catch(() => undefined); // the caller gets the failure; it must not fail the next one
    return sent;
  }

  /** @returns false when the kernel has cached nothing of what the message names, or the mount is gone */
  #write(message: Uint8Array): Promise<boolean> {
    if (this.#closed) return Promise.resolve(false);
    this.#onWire?.(message);
    return new Promise((resolve, reject) => {
      fs.write(this.#deviceFd, message, (error) => {
        if (!error) resolve(true);
        else if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ENOTCONN', 'ENODEV', 'EBADF', 'ENOTEMPTY'))
          resolve(false);
        else reject(asDaxError(error, 'notifying the kernel'));
      });
    });
  }
}
