// SQLite on a mounted volume: an ordinary database file for any program, in memory that Node sees without a copy.
//
//   npm run build && node examples/sqlite/main.mjs [rows]              needs FUSE and python3 (its sqlite3 module)
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openVolume } from 'udax';
import { mountFamfsAt } from 'udax/mounts';

const rows = process.argv[2] ?? '50000';
const program = fileURLToPath(new URL('work.py', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'udax-sqlite-'));
const root = join(directory, 'pool');
const mountpoint = join(directory, 'mnt');

try {
  openVolume(root, { size: '256MiB' }).close();
  mkdirSync(mountpoint);
  const mount = await mountFamfsAt('dax0.0', mountpoint, { root });
  try {
    print('mounted', await python('write', join(mountpoint, 'a.db'), rows));
    const readers = [1, 2, 3].map(() => python('read', join(mountpoint, 'a.db'), rows));
    for (const seen of await Promise.all(readers)) print('reader', seen);
    print('on /tmp', await python('write', join(directory, 'a.db'), rows));
  } finally {
    await mount.unmount();
  }
  const volume = openVolume(root, { readOnly: true });
  const bytes = volume.open('/a.db').map();
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, 15).toString('latin1');
  console.log(`volume   /a.db is ${bytes.length} bytes of shared memory that begin with "${head}"`);
  volume.close();
} finally {
  rmSync(directory, { recursive: true, force: true });
}

function print(name, { rows, sum, check, ms }) {
  console.log(`${name.padEnd(8)} ${rows} rows, sum ${sum}, integrity ${check}, ${ms.toFixed(0)} ms`);
}

async function python(...args) {
  const child = spawn('python3', [program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (piece) => {
    text += piece;
  });
  const [status] = await once(child, 'close');
  if (status !== 0) throw new Error(`python3 ${args.join(' ')}: exit ${status}`);
  return JSON.parse(text);
}
