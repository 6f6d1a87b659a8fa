// A worker of main.mjs. It loads the table in one of two ways, reports what it found, and reports its memory when asked.
import { readFileSync } from 'node:fs';
import { tableFromIPC } from 'apache-arrow';
import { openVolume } from 'udax';

const [way, ...args] = process.argv.slice(2);
const before = pssBytes();
const start = performance.now();
const { bytes, close } =
  way === 'udax' ? mapFromVolume(...args) : { bytes: readFileSync(args[0]), close() {} };
const table = tableFromIPC(bytes);
const loadMs = performance.now() - start;

const prices = table.getChild('price').data[0].values;
let sum = 0;
for (const price of prices) sum += price;
process.send({
  loadMs,
  mean: sum / prices.length,
  zeroCopy: way === 'udax' && prices.buffer === bytes.buffer,
});

process.on('message', (word) => {
  if (word === 'memory?') {
    process.send({ pssBytes: Math.max(0, pssBytes() - before) });
    return;
  }
  close();
  process.disconnect();
});

function mapFromVolume(root, path) {
  const volume = openVolume(root);
  return { bytes: volume.open(path).map(), close: () => volume.close() };
}

/** Proportional set size: memory shared by n processes counts 1/n in each. */
function pssBytes() {
  return Number(/^Pss:\s+(\d+)/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))[1]) * 1024;
}
