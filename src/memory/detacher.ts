import type { ReadableByteStreamController, ReadableStreamDefaultReader } from 'node:stream/web';
import { MessageChannel, type MessagePort } from 'node:worker_threads';

interface TransferableBuffer extends ArrayBuffer {
  /** Node 21 and later. */
  transfer?(): ArrayBuffer;
}

interface ByteStream {
  controller: ReadableByteStreamController;
  reader: ReadableStreamDefaultReader<Uint8Array>;
}

/**
 * Takes memory away from ArrayBuffers. Node marks buffers over foreign memory untransferable and has structuredClone
 * copy them; the transfer a byte stream does on enqueue is the language's own and ignores the mark (node-facts A9).
 *
 * What the stream makes of it, a husk, still counts as so many gigabytes with the garbage collector, which then works
 * all the time (3 to 10 ms a mapping of 1 GiB). So husks are read back and posted to a closed port: as the standard has
 * it, that transfers them and drops the message.
 */
export class Detacher {
  #stream: ByteStream | undefined;
  #closedPort: MessagePort | undefined;

  /**
   * Every view on the buffer has length 0 afterwards, also in code that is already compiled.
   * @returns false when the buffer still has its memory: that must stay mapped then
   */
  detach(buffer: ArrayBuffer): boolean {
    if (buffer.byteLength === 0) return true;
    this.#stream ??= byteStream();
    // Asked for before it is there: so the stream never keeps one.
    const husk = this.#stream.reader.read();
    husk.then(
      ({ value }) => this.#drop(value!.buffer as ArrayBuffer),
      () => {}, // never rejects: nobody closes or fails the stream
    );
    try {
      this.#stream.controller.enqueue(new Uint8Array(buffer));
    } catch {
      this.#stream = undefined; // whatever happened there, the length below is the answer
    }
    if (buffer.byteLength !== 0) (buffer as TransferableBuffer).transfer?.();
    return buffer.byteLength === 0;
  }

  #drop(husk: ArrayBuffer): void {
    this.#closedPort ??= closedPort();
    this.#closedPort.postMessage(null, [husk]);
  }
}

function byteStream(): ByteStream {
  let controller: ReadableByteStreamController;
  const stream = new ReadableStream({
    type: 'bytes',
    start(its) {
      controller = its;
    },
  });
  return { controller: controller!, reader: stream.getReader() as ReadableStreamDefaultReader<Uint8Array> };
}

function closedPort(): MessagePort {
  const { port1 } = new MessageChannel();
  port1.close();
  return port1;
}
