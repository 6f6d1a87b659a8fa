import type { ReadableByteStreamController } from 'node:stream/web';
import { MessageChannel, type MessagePort } from 'node:worker_threads';

/** Missing in the types of Node 20, there at run time. */
interface ReadableStreamBYOBRequest {
  readonly view: ArrayBufferView | null;
}

/** Node 21 and later. */
type TransferableBuffer = ArrayBuffer & { transfer?(): ArrayBuffer };

/**
 * Takes memory away from ArrayBuffers. Node marks buffers over foreign memory untransferable and has structuredClone
 * copy them; the transfers of byte streams are the language's own and ignore the mark. 11 us.
 *
 * A reader that brings its own buffer gives it to the stream at once, and the stream shows what it made of it: a husk,
 * which still counts as so many gigabytes with the garbage collector and keeps that busy (3 to 10 ms a mapping of
 * 1 GiB). So it is posted to a closed port: by the standard that transfers it, too, and drops the message.
 */
export class Detacher {
  #closedPort: MessagePort | undefined;

  /**
   * Every view on the buffer has length 0 afterwards, also in code that is already compiled.
   * @returns false when the buffer still has its memory: that must stay mapped then
   */
  detach(buffer: ArrayBuffer): boolean {
    if (buffer.byteLength === 0) return true;
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

/** The buffer that has the memory now; the stream around it is of no more use. */
function moveIntoStream(buffer: ArrayBuffer): ArrayBuffer | undefined {
  const made: { controller?: ReadableByteStreamController } = {};
  const stream = new ReadableStream({
    type: 'bytes',
    start(controller) {
      made.controller = controller;
    },
  });
  const read = stream.getReader({ mode: 'byob' }).read(new Uint8Array(buffer));
  read.catch(() => {}); // a refusal shows in the buffer's length, and the caller looks there
  const request = made.controller?.byobRequest as unknown as ReadableStreamBYOBRequest | null | undefined;
  return request?.view?.buffer as ArrayBuffer | undefined;
}

function closedPort(): MessagePort {
  const { port1 } = new MessageChannel();
  port1.close();
  return port1;
}
