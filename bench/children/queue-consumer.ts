// The reading end of a queue: reports when it is ready, takes COUNT messages, and reports when it has the last one.
import { mountFamfs, openMachine, openQueue } from '../../src/index.js';

const [root, device, path, countText] = process.argv.slice(2) as [string, string, string, string];
const machine = openMachine(root);
const volume = mountFamfs(machine.device(device));
const queue = openQueue(volume, path, { role: 'consumer' });
const message = new Uint8Array(queue.payloadSize);
process.send!('ready');
for (let taken = 0; taken < Number(countText); taken++) {
  if (queue.tryGet(message) === null) await queue.get();
}
process.send!('done');
queue.close();
volume.close();
machine.close();
process.disconnect();
