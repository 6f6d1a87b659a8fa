/**
 * `npm run vm:shell -- [--newer] [FILE]`: a shell in a VM with a dax device, on the distribution's kernel or a newer one. FILE is its NVDIMM. It is made (512 MiB) if missing, kept
 * afterwards, and shared by all VMs that use it. Without FILE the NVDIMM is temporary.
 */
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { prepareAssets } from './assets.js';
import { runDirectory } from './directories.js';
import { qemuArguments } from './qemu.js';

const SIZE = 512 * 2 ** 20;
const words = process.argv.slice(2);
const isNewer = words[0] === '--newer' && words.shift() !== undefined;
const directory = runDirectory();
try {
  const assets = prepareAssets(directory, isNewer ? 'backported' : 'own');
  if (assets.reason !== '') throw new Error(assets.reason);
  const file = path.resolve(words[0] ?? path.join(directory, 'nvdimm'));
  if (!fs.existsSync(file)) {
    fs.writeFileSync(file, '');
    fs.truncateSync(file, SIZE);
  }
  console.error('exit, or Ctrl-A X, ends it');
  const args = qemuArguments({
    assets,
    memory: { path: file, size: fs.statSync(file).size },
    ramMiB: 1024,
    cpus: 2,
    ports: {},
    parameters: { name: `vm-${process.pid}`, uuid: randomUUID(), shell: '1' },
  }).map((word) => (word === 'stdio' ? 'mon:stdio' : word));
  spawnSync('qemu-system-x86_64', args, { stdio: 'inherit' });
} finally {
  fs.rmSync(directory, { recursive: true, force: true });
}
