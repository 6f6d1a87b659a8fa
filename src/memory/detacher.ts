import type { ReadableByteStreamController } from 'node:stream/web';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { detachByEngine } from './engine-detach.js';

/** Missing in the types of Node 20, but present at run time. */
interface ReadableStreamBYOBRequest {
  readonly view: ArrayBufferView | null;
}

/** transfer() exists in Node 21 and later. */
type TransferableBuffer = ArrayBuffer & { transfer?(): ArrayBuffer };

/**
 * Detaches ArrayBuffers from their memory: by the engine's own operation where scripts can name it, else by a transfer.
 *
 * Node marks buffers over foreign memory as untransferable, and structuredClone copies them. Byte streams transfer a buffer by an
 * operation that ignores the mark. A BYOB read transfers the reader's buffer into the stream at once. The stream's request then shows
 * the new buffer, the husk. The garbage collector still counts the husk's bytes, which keeps it busy (3 to 10 ms for a mapping of
 * 1 GiB). So the husk is posted to a closed port: by the standard that transfers it as well, and the message is dropped. 11 us.
 */
export class Detacher {
  #closedPort: MessagePort | undefined;
  readonly #byEngine: (buffer: ArrayBuffer) => boolean;

  constructor(byEngine: (buffer: ArrayBuffer) => boolean = detachByEngine) {
    this.#byEngine = byEngine;
  }

  /**
   * Detaches a buffer. Every view of it then has length 0, also in code that is already compiled.
   * @returns false when the buffer still has its memory: it must stay mapped then
   */
  detach(buffer: ArrayBuffer): boolean {
    if (buffer.byteLength === 0 || this.#byEngine(buffer)) return true;
    const husk = moveIntoStream(buffer);
    if (husk) this.#drop(husk);
    if (buffer.byteLength !== 0) (buffer as TransferableBuffer).transfer?.();
    return buffer.byteLength === 0;
  }

  #drop(husk: ArrayBuffer): void {
    this.#closedPort ??= closedPort();
    this.#closedPort.postMessage(null, [husk]);
  }
}

/** Moves a buffer into a byte stream. @returns the buffer that has the memory now; the stream is not needed any more */
function moveIntoStream(buffer: ArrayBuffer): ArrayBuffer | undefined {
  const made: { controller?: ReadableByteStreamController } = {};
  const stream = new ReadableStream({
    type: 'bytes',
    start(controller) {
      made.controller = controller;
    },
  });
  const read = stream.getReader({ mode: 'byob' }).read(new Uint8Array(buffer));
  read.catch(() => {}); // the caller sees a refusal by the buffer's length
  const request = made.controller?.byobRequest as unknown as ReadableStreamBYOBRequest | null | undefined;
  return request?.view?.buffer as ArrayBuffer | undefined;
}

function closedPort(): MessagePort {
  const { port1 } = new MessageChannel();
  port1.close();
  return port1;
}
