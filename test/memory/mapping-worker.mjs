/** A worker that maps (workers.test.ts): files and a raw device of a machine, or one file alone. workerData: dist, root or file, end. */
import { parentPort, workerData } from 'node:worker_threads';

const { dist, root, file, end } = workerData;
if (file !== undefined) {
  const { openBacking, PhysicalMemory } = await import(dist.replace('index.js', 'memory/index.js'));
  const physical = new PhysicalMemory();
  const backing = openBacking(file);
  physical.insert({ start: 0, length: backing.size, backing, offset: 0 });
  globalThis.kept = physical.map([{ start: 0, length: backing.size }], { access: 'shared' });
  parentPort.postMessage('mapped');
} else {
  const { mountFamfs, openMachine } = await import(dist);
  const machine = openMachine(root);
  const volume = mountFamfs(machine.device('dax0.0'));
  const views = [0, 1, 2].map((i) => volume.open(`/f${i}`).map());
  globalThis.kept = machine.openDax('dax1.0').mmap();
  parentPort.postMessage(views[1][5]);
  if (end === 'exit') process.exit(0);
  if (end === 'close') {
    volume.close();
    machine.close();
  }
}
if (end === 'terminate') setInterval(() => {}, 1000);
