import fs from 'node:fs';
import { punchHole } from '../../src/libc/index.js';
import { asHost, deviceOver, type ProofDevice } from '../media/device.js';
import { LINE_BYTES } from '../media/lines.js';
import { type MemoryKind, TracedBacking } from '../media/traced-backing.js';
import { OTHER_HOST, THIS_HOST } from './hosts.js';
import type { ImageLines } from './image.js';
import type { Bench } from './scope.js';

const PAGE_BYTES = 4096;
const PIECE_BYTES = 2 ** 14;
const BLOCK_BYTES = 512;
const MANY_BYTES = 4 * 2 ** 20;

/** A machine that is started again and again, each time with another memory. */
export class Replayer {
  readonly #backing: TracedBacking;
  readonly #device: ProofDevice;
  readonly #base: Uint8Array;
  readonly #pages: [number, Uint8Array][] = [];
  readonly bench: { -readonly [K in keyof Bench]: Bench[K] };

  constructor(base: Uint8Array, memory: MemoryKind) {
    this.#base = base;
    this.#backing = new TracedBacking('replay', base.length, memory);
    this.#device = deviceOver(this.#backing, THIS_HOST);
    this.bench = {
      device: this.#device,
      other: asHost(this.#device, OTHER_HOST),
      variant: 0,
      turn: 0,
      mark() {},
    };
    const zeroes = new Uint8Array(PAGE_BYTES);
    for (let at = 0; at < base.length; at += PAGE_BYTES) {
      const page = base.subarray(at, at + PAGE_BYTES);
      if (Buffer.compare(page, zeroes) !== 0) this.#pages.push([at, page.slice()]);
    }
  }

  /** Loads an image. Everything that earlier runs stored is gone. */
  load(lines: ImageLines): void {
    const { view } = this.#device;
    this.bench.turn++;
    this.#reset(view);
    for (const [line, bytes] of lines) view.set(bytes, line * LINE_BYTES);
  }

  /**
   * Resets the memory. A few pages are freed; of many, only what differs is stored, since getting pages again costs more than
   * comparing them.
   */
  #reset(view: Uint8Array): void {
    if (fs.fstatSync(this.#backing.fd).blocks * BLOCK_BYTES > MANY_BYTES) {
      for (let at = 0; at < view.length; at += PIECE_BYTES) {
        const wanted = this.#base.subarray(at, at + PIECE_BYTES);
        const found = view.subarray(at, at + PIECE_BYTES);
        if (Buffer.compare(wanted, found) !== 0) found.set(wanted);
      }
      return;
    }
    punchHole(this.#backing.fd, 0, this.#backing.size);
    for (const [at, page] of this.#pages) view.set(page, at);
  }

  close(): void {
    this.#device.close();
  }
}
