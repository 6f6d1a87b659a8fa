// Creates files when told how many and under which name; answers when it is done.
import { mountFamfs, openMachine } from '../../src/index.js';

const [root, device] = process.argv.slice(2) as [string, string];
const machine = openMachine(root);
const volume = mountFamfs(machine.device(device));
process.on('message', ({ prefix, count }: { prefix: string; count: number }) => {
  for (let i = 0; i < count; i++) volume.create(`/${prefix}-${i}`, { size: 4096, zero: false }).close();
  process.send!('done');
});
process.once('disconnect', () => {
  volume.close();
  machine.close();
});
process.send!('ready');
