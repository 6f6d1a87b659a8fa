// The ends of queues, one message each its number and a word made of it.
import { createQueue, openQueue } from 'udax';
import { volumeOf } from './volumes.mjs';

const check = (number) => Math.imul(number, 2654435761) >>> 0;

export const make = (volume, path, options) => createQueue(volumeOf(volume), path, options);

/** Puts `count` messages, on from where the last producer ended. @returns the numbers it began and ended with */
export async function produce(volume, path, count) {
  const queue = openQueue(volumeOf(volume), path, { role: 'producer' });
  try {
    const message = new Uint8Array(queue.payloadSize);
    const view = new DataView(message.buffer);
    const first = queue.info().nextPutSeq;
    for (let number = first; number < first + count; number++) {
      view.setFloat64(0, number, true);
      view.setUint32(8, check(number), true);
      if (!queue.tryPut(message)) await queue.put(message);
    }
    return { first, next: first + count };
  } finally {
    queue.close();
  }
}

/** Takes `count` messages and checks each. @throws Error naming the first that is wrong */
export async function consume(volume, path, count) {
  const queue = openQueue(volumeOf(volume), path, { role: 'consumer' });
  try {
    const first = queue.info().nextGetSeq;
    const begun = performance.now();
    for (let number = first; number < first + count; number++) {
      const message = queue.tryGet() ?? (await queue.get());
      const view = new DataView(message.buffer, message.byteOffset);
      if (view.getFloat64(0, true) !== number || view.getUint32(8, true) !== check(number)) {
        throw new Error(`message ${number} is ${view.getFloat64(0, true)}`);
      }
    }
    return { first, next: first + count, left: queue.info().length, ms: performance.now() - begun };
  } finally {
    queue.close();
  }
}

/** Takes `count` framed messages. @returns their texts */
export async function texts(volume, path, count) {
  const queue = openQueue(volumeOf(volume), path, { role: 'consumer', framed: true });
  try {
    const taken = [];
    while (taken.length < count) taken.push(Buffer.from(queue.tryGet() ?? (await queue.get())).toString());
    return taken;
  } finally {
    queue.close();
  }
}
