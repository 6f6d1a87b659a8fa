/** Real memory for a tool: its own directory on tmpfs, and machines in it. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type Machine, mkfs, openMachine } from '../../src/index.js';

const made = new Set<string>();
const mounted = new Set<string>();

/** Makes a directory in memory. removeDirectories() removes it, also when the tool is interrupted. */
export function memoryDirectory(tool: string): string {
  const parent = fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir();
  const directory = fs.mkdtempSync(path.join(parent, `udax-${tool}-${process.pid}-`));
  made.add(directory);
  return directory;
}

/** Mounts a tmpfs that nothing else uses, so that its space can be counted. Undefined when this user may not mount. */
export function privateTmpfs(directory: string, megabytes: number): string | undefined {
  const place = path.join(directory, 'tmpfs');
  fs.mkdirSync(place);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'udax-proof', place], {
      stdio: 'ignore',
    });
  } catch {
    return undefined;
  }
  mounted.add(place);
  return place;
}

/** Used bytes of a directory's file system. */
export function usedBytes(directory: string): number {
  const { blocks, bfree, bsize } = fs.statfsSync(directory);
  return (blocks - bfree) * bsize;
}

export function removeDirectories(): void {
  for (const place of [...mounted].reverse()) {
    try {
      execFileSync('umount', ['-l', place], { stdio: 'ignore' });
      mounted.delete(place);
    } catch {
      // Another program has unmounted it.
      mounted.delete(place);
    }
  }
  for (const directory of made) fs.rmSync(directory, { recursive: true, force: true });
  made.clear();
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    removeDirectories();
    process.exit(130);
  });
}
process.once('exit', removeDirectories);

export interface MachineShape {
  root: string;
  /** Bytes of each region in order: dax0.0, dax1.0 ... */
  sizes: number[];
  /** Owner of the file system on dax0.0; default this host. */
  systemUuid?: string;
}

/** Makes a machine whose first device has an empty famfs. Its memory is sparse, because no test uses all of it. */
export function makeMachine({ root, sizes, systemUuid }: MachineShape): void {
  const machine: Machine = openMachine(root, { create: true });
  try {
    for (const size of sizes) machine.createRegion({ size, sparse: true });
    machine.reconfigure('dax0.0', 'famfs');
    mkfs(machine.device('dax0.0'), systemUuid === undefined ? {} : { systemUuid });
  } finally {
    machine.close();
  }
}
