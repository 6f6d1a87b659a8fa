import { fail } from '../../libc/index.js';
import type { Reply } from '../protocol/index.js';
import type { FuseReadAnswer } from '../types.js';

/** Collects the pieces of one READ, up to the requested length. */
export class ReadAnswer implements FuseReadAnswer {
  #room = 0;
  readonly #reply: Reply;

  constructor(reply: Reply) {
    this.#reply = reply;
  }

  start(length: number): void {
    this.#room = length;
  }

  addMemory(address: number, length: number): void {
    const taken = Math.min(length, this.#room);
    if (taken <= 0) return;
    if (!this.#reply.addMemory(address, taken)) this.#tooMany();
    this.#room -= taken;
  }

  addBytes(bytes: Uint8Array): void {
    const taken = bytes.length > this.#room ? bytes.subarray(0, this.#room) : bytes;
    if (!this.#reply.addBytes(taken)) this.#tooMany();
    this.#room -= taken.length;
  }

  #tooMany(): never {
    fail('EIO', 'one READ was answered in more than 1,023 pieces: map the file as one span');
  }
}
