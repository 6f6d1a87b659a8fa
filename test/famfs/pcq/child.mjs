// One end of a queue in a process of its own, on the built package.
// usage: child.mjs IMAGE QUEUE produce|consume|endless COUNT; prints one JSON line at its end.
import fs from 'node:fs';
import { mountFamfs, openQueue } from '../../../dist/index.js';

const [image, path, act, countText] = process.argv.slice(2);
const count = Number(countText);
const volume = mountFamfs(image);
const queue = openQueue(volume, path, { role: act === 'consume' ? 'consumer' : 'producer' });
const message = new Uint8Array(queue.payloadSize);
const view = new DataView(message.buffer);
const started = performance.now();

/** Each message is its number, and a word made of it. */
const fill = (number) => {
  view.setFloat64(0, number, true);
  view.setUint32(8, Math.imul(number, 2654435761), true);
};

if (act === 'consume') {
  let first = -1;
  let next = -1;
  for (let i = 0; i < count; i++) {
    if (queue.tryGet(message) === null) message.set(await queue.get());
    const number = new DataView(message.buffer).getFloat64(0, true);
    if (i === 0) first = next = number;
    if (number !== next || view.getUint32(8, true) !== Math.imul(number, 2654435761) >>> 0) {
      throw new Error(`message ${i} is ${number}, expected ${next}`);
    }
    next++;
  }
  say({ first, next });
} else {
  // Goes on where the last producer ended: the queue knows.
  const start = queue.info().nextPutSeq;
  const end = act === 'endless' ? Infinity : start + count;
  for (let number = start; number < end; number++) {
    fill(number);
    if (!queue.tryPut(message)) await queue.put(message);
  }
  say({ first: start, next: end });
}
queue.close();
volume.close();

function say(result) {
  fs.writeSync(1, `${JSON.stringify({ ...result, ms: performance.now() - started })}\n`);
}
