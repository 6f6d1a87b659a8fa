// One Apache Arrow table, four worker processes, one copy of it in memory.
//
//   npm run build && node examples/arrow/main.mjs [rows]
//
// Each worker computes the mean of a column: on the file read the plain way, on a table mapped zero-copy from a udax volume
// (both with the apache-arrow package, which gives the whole table), and on the columns as udax/formats gives them, which needs no
// other package and reads only the file's metadata. The memory all four need together (PSS) is printed for each.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeVector, Table, tableToIPC } from 'apache-arrow';
import { openVolume } from 'udax';

const rows = Number(process.argv[2] ?? 4_000_000);
const workers = 4;
const directory = mkdtempSync(join(tmpdir(), 'udax-arrow-'));

try {
  const plainFile = join(directory, 'table.arrow');
  writeFileSync(plainFile, makeTable(rows));

  const root = join(directory, 'pool');
  const volume = openVolume(root, { size: '256MiB' });
  await volume.copyIn(plainFile, '/table.arrow');
  const megabytes = (volume.stat('/table.arrow').size / 1e6).toFixed(0);
  console.log(`${rows} rows, ${megabytes} MB of Arrow IPC, ${workers} worker processes`);
  volume.close();

  await run('plain', [plainFile]);
  await run('udax', [root, '/table.arrow']);
  await run('formats', [root, '/table.arrow']);
} finally {
  rmSync(directory, { recursive: true, force: true });
}

function makeTable(count) {
  const price = new Float64Array(count);
  const quantity = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    price[i] = (i % 1000) / 10;
    quantity[i] = i % 50;
  }
  return tableToIPC(new Table({ price: makeVector(price), quantity: makeVector(quantity) }), 'file');
}

/** Starts the workers, waits until all hold the table, then asks each for its memory while all are alive. */
async function run(way, args) {
  const children = [];
  const loaded = [];
  for (let i = 0; i < workers; i++) {
    const child = fork(new URL('./worker.mjs', import.meta.url), [way, ...args]);
    loaded.push((await once(child, 'message'))[0]);
    children.push(child);
  }
  let pss = 0;
  for (const child of children) {
    child.send('memory?');
    pss += (await once(child, 'message'))[0].pssBytes;
  }
  for (const child of children) {
    child.send('end');
    await once(child, 'exit');
  }
  const means = new Set(loaded.map((answer) => answer.mean));
  if (means.size !== 1) throw new Error(`the workers disagree: ${[...means].join(', ')}`);
  const slowest = Math.max(...loaded.map((answer) => answer.loadMs)).toFixed(1);
  console.log(
    `${way.padEnd(7)}  table memory of all workers ${(pss / 1e6).toFixed(0).padStart(5)} MB (PSS)   ` +
      `slowest load ${slowest.padStart(6)} ms   mean price ${loaded[0].mean.toFixed(3)}   ` +
      `zero-copy ${loaded.every((answer) => answer.zeroCopy) ? 'yes' : 'no'}`,
  );
}
