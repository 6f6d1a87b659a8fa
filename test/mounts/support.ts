import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { mkfs, mountFamfs, openMachine, type Volume } from '../../src/index.js';

export const binary = path.resolve(import.meta.dirname, '../../bin/udax.js');
export const MIB = 2 ** 20;

/** Why mounts cannot be tested here; '' when they can. */
export const noMounts = reasonAgainstMounts();
/** Suffix for titles, so that skipped tests say why. */
export const because = noMounts === '' ? '' : ` (skipped: ${noMounts})`;

function reasonAgainstMounts(): string {
  if (process.getuid?.() !== 0) return 'mounting here needs root';
  if (!fs.existsSync('/dev/fuse')) return 'there is no /dev/fuse';
  const tried = spawnSync('unshare', ['-m', 'true']);
  return tried.status === 0 ? '' : 'this user may not mount';
}

/** Whether a program is installed. */
export function have(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
}

export interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a shell command in a child process with a time limit. Status 124 is a timeout. */
export function sh(command: string, seconds = 10): Outcome {
  const { status, stdout, stderr } = spawnSync('timeout', ['-k', '1', String(seconds), 'sh', '-c', command], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  return { status, stdout, stderr };
}

/** The stdout of a command that must succeed. */
export function output(command: string, seconds = 10): string {
  const { status, stdout, stderr } = sh(command, seconds);
  if (status !== 0) throw new Error(`${command}: exit ${status}\n${stdout}\n${stderr}`);
  return stdout;
}

/** A machine in its own directory. Its mounts all end with it. */
export class Place {
  #tmpfs = false;
  readonly directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-mounts-'));
  readonly root = path.join(this.directory, 'root');
  readonly #mountpoints: string[] = [];
  readonly #children: ChildProcess[] = [];
  readonly #volumes: Volume[] = [];

  /** Puts the machine, its memory included, on a file system of its own of this size. Before anything is made. Root only. */
  onTmpfs(bytes: number): void {
    fs.mkdirSync(this.root);
    output(`mount -t tmpfs -o size=${bytes} udax-test '${this.root}'`);
    this.#tmpfs = true;
  }

  /** Makes a region whose device has a famfs. */
  makeVolume(size: number | string = '128MiB'): string {
    const machine = openMachine(this.root, { create: true });
    try {
      const device = machine.createRegion({ size, sparse: true }).devices[0]!;
      machine.reconfigure(device, 'famfs');
      mkfs(machine.device(device));
      return device;
    } finally {
      machine.close();
    }
  }

  /** The volume in this process, as a library user opens it. */
  volume(device = 'dax0.0'): Volume {
    const machine = openMachine(this.root, { create: true });
    const volume = mountFamfs(machine.device(device));
    this.#volumes.push(volume);
    return volume;
  }

  udax(...args: string[]): Outcome {
    const { status, stdout, stderr } = spawnSync(
      'timeout',
      ['-k', '1', '30', process.execPath, binary, '--root', this.root, ...args],
      { encoding: 'utf8', maxBuffer: 1 << 28 },
    );
    return { status, stdout, stderr };
  }

  /** Makes an empty directory that is unmounted at the end in any case. */
  mountpoint(): string {
    const at = path.join(this.directory, `mnt${this.#mountpoints.length}`);
    fs.mkdirSync(at);
    this.#mountpoints.push(at);
    return at;
  }

  /** Mounts through the command line, in the background. Without `--settle`, new files are published at close. */
  mount(device = 'dax0.0', ...options: string[]): string {
    const at = this.mountpoint();
    const settling = options.includes('--settle') ? [] : ['--settle', '0'];
    const { status, stderr } = this.udax('mount', ...settling, ...options, device, at);
    if (status !== 0) throw new Error(`udax mount: exit ${status} ${stderr}`);
    return at;
  }

  /** A program that runs until the end of the test. */
  start(program: string, args: string[]): ChildProcess {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#children.push(child);
    return child;
  }

  /** The pid of the daemon that serves a mountpoint, from the state directory. */
  daemonPid(at: string): number {
    for (const name of fs.readdirSync(path.join(this.root, 'mounts'))) {
      if (!name.endsWith('.json')) continue;
      const record = JSON.parse(fs.readFileSync(path.join(this.root, 'mounts', name), 'utf8'));
      if (record.mountpoint === at) return record.pid;
    }
    throw new Error(`no record of ${at}`);
  }

  close(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    for (const volume of this.#volumes) volume.close();
    for (const at of this.#mountpoints) {
      this.udax('umount', '-f', at);
      sh(`umount -l '${at}' 2>/dev/null`);
    }
    if (this.#tmpfs) sh(`umount -l '${this.root}'`);
    fs.rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Waits until something holds. */
export async function until(what: string, holds: () => boolean, seconds = 120): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`it never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
