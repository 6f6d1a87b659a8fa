/**
 * `npm run vm:shell -- [FILE]`: a shell in a VM with a dax device. FILE is its NVDIMM. It is made (512 MiB) if missing, kept
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
const directory = runDirectory();
try {
  const assets = prepareAssets(directory);
  if (assets.reason !== '') throw new Error(assets.reason);
  const file = path.resolve(process.argv[2] ?? path.join(directory, 'nvdimm'));
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
