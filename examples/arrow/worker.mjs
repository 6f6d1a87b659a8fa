// A worker of main.mjs. It loads the table in one of two ways, reports what it found, and reports its memory when asked.
import { readFileSync } from 'node:fs';
import { tableFromIPC } from 'apache-arrow';
import { openVolume } from 'udax';
import { openArrow } from 'udax/formats';

const [way, ...args] = process.argv.slice(2);
const before = pssBytes();
const start = performance.now();
const { prices, buffer, close } = way === 'formats' ? viewColumn(...args) : loadTable(...args);
const loadMs = performance.now() - start;

let sum = 0;
for (const price of prices) sum += price;
process.send({
  loadMs,
  mean: sum / prices.length,
  zeroCopy: buffer !== undefined && prices.buffer === buffer,
});

process.on('message', (word) => {
  if (word === 'memory?') {
    process.send({ pssBytes: Math.max(0, pssBytes() - before) });
    return;
  }
  close();
  process.disconnect();
});

/** The table by apache-arrow, from a mapped file or from one that is read. */
function loadTable(from, path) {
  if (way === 'plain') return { prices: priceOf(tableFromIPC(readFileSync(from))), close() {} };
  const volume = openVolume(from);
  const bytes = volume.open(path).map();
  return { prices: priceOf(tableFromIPC(bytes)), buffer: bytes.buffer, close: () => volume.close() };
}

function priceOf(table) {
  return table.getChild('price').data[0].values;
}

/** The column by udax/formats. */
function viewColumn(root, path) {
  const volume = openVolume(root);
  const [price] = openArrow(volume, path).column('price');
  return {
    prices: price.values.data,
    buffer: volume.open(path).map().buffer,
    close: () => volume.close(),
  };
}

/** Proportional set size: memory shared by n processes counts 1/n in each. */
function pssBytes() {
  return Number(/^Pss:\s+(\d+)/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))[1]) * 1024;
}
