// A process that stops in the middle of a copyIn, alive, until it is killed. usage: copy-and-hang.mjs DEVICE PATH SOURCE
import fs from 'node:fs';
import { mountFamfs } from 'udax';

const [device, path, source] = process.argv.slice(2);
const volume = mountFamfs(device);
await volume.copyIn(source, path, {
  onProgress() {
    fs.writeSync(1, 'copying\n');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  },
});
