// A process that mounts a device, waits for a file to be published and to be written, and prints what is in it.
// usage: wait-for.mjs DEVICE PATH
import { mountFamfs } from 'udax';

const [device, path] = process.argv.slice(2);
const volume = mountFamfs(device);
console.log('waiting');
while (!volume.exists(path)) {
  await new Promise((resolve) => setTimeout(resolve, 1));
  volume.refresh();
}
const view = volume.open(path).map();
while (view[0] === 0) await new Promise((resolve) => setTimeout(resolve, 1));
console.log(Buffer.from(view).toString());
volume.close();
