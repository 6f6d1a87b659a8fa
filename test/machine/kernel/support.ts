import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import type { FuseSession } from '../../../src/fuse/index.js';
import { type KernelMachine, openKernel, openMachine } from '../../../src/machine/index.js';
import { temporaryDirectory } from '../support.js';

const MiB = 2 ** 20;

/** Why a FUSE tree cannot be tried here; '' when it can. */
export const noTrees = reasonAgainstTrees();
export const because = noTrees === '' ? '' : ` (skipped: ${noTrees})`;

function reasonAgainstTrees(): string {
  if (process.getuid?.() !== 0) return 'mounting here needs root';
  if (!fs.existsSync('/dev/fuse')) return 'there is no /dev/fuse';
  return spawnSync('unshare', ['-m', 'true']).status === 0 ? '' : 'this user may not mount';
}

/** A store that must fail: the file (a regular expression for its path), the text, the errno, and how often (default always). */
export interface Rule {
  path: string;
  text: string;
  errno: string;
  times?: number;
}

/**
 * A sysfs tree whose stores are answered as by a Linux 7.2 kernel (an emulated machine behind FUSE), a KernelMachine on it, and
 * rules for stores that fail.
 */
export class KernelTree {
  private constructor(
    readonly directory: string,
    /** udax's view of the kernel's bus. */
    readonly kernel: KernelMachine,
    private readonly session: FuseSession,
  ) {}

  /** Region 0 has 512 MiB for devices, region 1 512 MiB for kmem (four memory blocks); new memory stays offline. */
  static async start(): Promise<KernelTree> {
    const directory = temporaryDirectory();
    const root = path.join(directory, 'machine');
    const at = path.join(directory, 'sys');
    const rules = path.join(directory, 'rules');
    fs.mkdirSync(at);
    fs.writeFileSync(rules, '[]');
    makeMachine(root);
    // Uses the built package, because Node itself loads a session's worker.
    const built = new URL('../../../dist/fuse/index.js', import.meta.url).href;
    const { startSession } = (await import(built)) as typeof import('../../../src/fuse/index.js');
    const session = await startSession({
      mountpoint: at,
      mount: { source: 'udax-test', subtype: 'udax', defaultPermissions: true, allowOther: true },
      connection: { readdirplus: 'never', cacheSymlinks: false },
      fileSystem: { moduleUrl: new URL('./failing-tree.mjs', import.meta.url), data: { root, rules } },
    });
    const kernel = openKernel(`kernel:${at}`, { stateDirectory: path.join(directory, 'state') });
    const tree = new KernelTree(directory, kernel, session);
    onTestFinished(async () => {
      kernel.close();
      await session.unmount();
    });
    return tree;
  }

  get at(): string {
    return this.session.mountpoint;
  }

  /** State directory of the emulated machine behind the tree. */
  get root(): string {
    return path.join(this.directory, 'machine');
  }

  /** Makes these stores fail from now on. */
  fail(...rules: Rule[]): void {
    fs.writeFileSync(path.join(this.directory, 'rules'), JSON.stringify(rules));
  }

  /** Every store since the last call: `path text`, below bus/dax/drivers or devices. */
  stores(): string[] {
    const log = path.join(this.directory, 'rules.log');
    if (!fs.existsSync(log)) return [];
    const lines = fs.readFileSync(log, 'utf8').trim().split('\n');
    fs.rmSync(log);
    return lines.map((line) => line.replace(/^\S*\/(\w+\/\w+) /, '$1 '));
  }

  /** The states of the memory blocks of the kmem region, by address. */
  blocks(): string[] {
    const memory = path.join(this.at, 'devices/system/memory');
    return fs
      .readdirSync(memory)
      .filter((name) => /^memory\d+$/.test(name))
      .sort()
      .map((name) => {
        const read = (attribute: string) =>
          fs.readFileSync(path.join(memory, name, attribute), 'utf8').trim();
        return read('state') === 'offline' ? 'offline' : `${read('state')} ${read('valid_zones')}`;
      });
  }
}

function makeMachine(root: string): void {
  const machine = openMachine(root, { create: true });
  machine.change((bus) => {
    bus.memoryBlocks.autoOnline = 'offline';
  });
  machine.createRegion({ size: 512 * MiB, sparse: true });
  machine.createRegion({ size: 512 * MiB, sparse: true, type: 'kmem' });
  machine.close();
}
