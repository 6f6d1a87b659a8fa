import type { ReadableByteStreamController } from 'node:stream/web';

/** A stream keeps what was enqueued: it is dropped after so many buffers, or bytes the collector believes in use. */
const HUSKS_PER_STREAM = 4096;
const HUSK_BYTES_PER_STREAM = 4 * 2 ** 30;

interface TransferableBuffer extends ArrayBuffer {
  /** Node 21 and later. */
  transfer?(): ArrayBuffer;
}

/**
 * Takes memory away from ArrayBuffers. Node marks buffers over foreign memory untransferable and has structuredClone
 * copy them; the transfer a byte stream does on enqueue is the language's own and ignores the mark (node-facts A9).
 */
export class Detacher {
  #sink: ReadableByteStreamController | undefined;
  #husks = 0;
  #huskBytes = 0;

  /**
   * Every view on the buffer has length 0 afterwards, also in code that is already compiled. 3 us.
   * @returns false when the buffer still has its memory: that must stay mapped then
   */
  detach(buffer: ArrayBuffer): boolean {
    const bytes = buffer.byteLength;
    if (bytes === 0) return true;
    try {
      this.#sinkFor(bytes).enqueue(new Uint8Array(buffer));
    } catch {
      this.#sink = undefined; // whatever happened there, the length below is the answer
    }
    if (buffer.byteLength !== 0) (buffer as TransferableBuffer).transfer?.();
    return buffer.byteLength === 0;
  }

  #sinkFor(bytes: number): ReadableByteStreamController {
    if (!this.#sink || this.#husks >= HUSKS_PER_STREAM || this.#huskBytes + bytes > HUSK_BYTES_PER_STREAM) {
      this.#sink = unreadStream();
      this.#husks = 0;
      this.#huskBytes = 0;
    }
    this.#husks++;
    this.#huskBytes += bytes;
    return this.#sink;
  }
}

/** Nobody reads the stream: what is put in is out of reach, and collected with it. */
function unreadStream(): ReadableByteStreamController {
  let sink: ReadableByteStreamController;
  new ReadableStream({
    type: 'bytes',
    start(controller) {
      sink = controller;
    },
  });
  return sink!;
}
