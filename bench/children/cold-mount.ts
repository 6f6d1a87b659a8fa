// One mount in a fresh process: prints [milliseconds to open the device, milliseconds to mount it].
import { mountFamfs, openDevice } from '../../src/index.js';

const start = performance.now();
const device = openDevice(process.argv[2]!);
const opened = performance.now();
const volume = mountFamfs(device);
const mounted = performance.now();
volume.close();
device.close();
process.stdout.write(JSON.stringify([opened - start, mounted - opened]));
