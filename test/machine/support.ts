import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { type Machine, openMachine } from '../../src/machine/index.js';

export const MiB = 2 ** 20;
export const GiB = 2 ** 30;
export const TiB = 2 ** 40;
export const isRoot = process.getuid?.() === 0;
const childScript = fileURLToPath(new URL('./child.mjs', import.meta.url));

/** A directory for one test, removed after it. */
export function temporaryDirectory(): string {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-machine-'));
  onTestFinished(() => fs.rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A machine in its own directory, closed after the test. */
export function temporaryMachine(root = path.join(temporaryDirectory(), 'state')): Machine {
  const machine = openMachine(root, { create: true, lockWaitMs: 30_000 });
  onTestFinished(() => machine.close());
  return machine;
}

/** The errno code of what `act` throws; undefined when it does not. */
export function codeOf(act: () => unknown): string | undefined {
  try {
    act();
  } catch (error) {
    if (error instanceof Error && 'code' in error) return String(error.code);
    throw error;
  }
  return undefined;
}

/** What `act` throws, which must be an Error. */
export function errorOf(act: () => unknown): Error & { code?: string } {
  try {
    act();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

/** A child running a verb of child.mjs against the built package; killed after the test if it still lives. */
export class Child {
  readonly process: ChildProcess;
  private readonly lines: AsyncIterableIterator<string>;
  private readonly reader: Interface;
  private readonly errors: string[] = [];
  readonly ended: Promise<number | null>;

  constructor(verb: string, args: string[], options: { uid?: number } = {}) {
    this.process = spawn(process.execPath, [childScript, verb, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
    });
    this.process.stderr!.on('data', (data) => this.errors.push(String(data)));
    this.reader = createInterface({ input: this.process.stdout! });
    this.lines = this.reader[Symbol.asyncIterator]();
    this.ended = new Promise((resolve) => this.process.once('close', (code) => resolve(code)));
    onTestFinished(async () => {
      this.process.kill('SIGKILL');
      await this.ended;
    });
  }

  get pid(): number {
    return this.process.pid!;
  }

  /** The next line it prints, as JSON. */
  async answer(): Promise<Record<string, unknown>> {
    const { value, done } = await this.lines.next();
    if (done) throw new Error(`child ended early: ${this.errors.join('')}`);
    return JSON.parse(value) as Record<string, unknown>;
  }

  /** Lets the child continue to its next step. */
  proceed(): void {
    this.process.stdin!.write('\n');
  }

  async killHard(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.ended;
  }
}

/** Runs `work` with a tmpfs of `bytes` mounted at a new directory, and unmounts it in any case. Root only. */
export function withTinyTmpfs(bytes: number, work: (directory: string) => void): void {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-tmpfs-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'udax-test', directory]);
  try {
    if (mounted.status !== 0) throw new Error(`mount failed: ${mounted.stderr}`);
    work(directory);
  } finally {
    // Unmounts lazily when a failed test still has something open: no mount outlives its test.
    if (mounted.status === 0 && spawnSync('umount', [directory]).status !== 0)
      spawnSync('umount', ['-l', directory]);
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

export const canMountTmpfs = isRoot && canMount();

function canMount(): boolean {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-probe-'));
  try {
    if (spawnSync('mount', ['-t', 'tmpfs', 'udax-probe', directory]).status !== 0) return false;
    spawnSync('umount', [directory]);
    return true;
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
}
