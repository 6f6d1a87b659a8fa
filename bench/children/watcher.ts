// Waits for new files of a volume and reports each one.
import { mountFamfs, openMachine } from '../../src/index.js';

const [root, device] = process.argv.slice(2) as [string, string];
const machine = openMachine(root);
const volume = mountFamfs(machine.device(device));
const stop = new AbortController();
process.once('message', () => stop.abort());
process.send!('ready');
try {
  for await (const event of volume.watch({ signal: stop.signal })) {
    if (event.type === 'new') for (const { path } of event.entries) process.send!({ path, at: Date.now() });
  }
} catch (error) {
  if ((error as Error).name !== 'AbortError') throw error;
}
volume.close();
machine.close();
process.disconnect();
