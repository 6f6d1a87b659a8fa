// One mount in a fresh process: prints the milliseconds it took.
import { mountFamfs } from '../../src/index.js';

const start = performance.now();
const volume = mountFamfs(process.argv[2]!);
const taken = performance.now() - start;
volume.close();
process.stdout.write(String(taken));
