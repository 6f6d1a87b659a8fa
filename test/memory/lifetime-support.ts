import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { mkfs, mountFamfs, openMachine } from '../../src/index.js';
import { temporaryDirectory } from './support.js';

export const dist = path.resolve(import.meta.dirname, '../../dist/index.js');
export const KiB = 2 ** 10;

/** Other versions of Node to run children on: a list of binaries, separated by colons. */
export const otherNodes = (process.env.UDAX_NODES ?? '').split(':').filter((node) => node !== '');

/** A machine with a famfs of `files` files of 1 MiB (file i is full of i + 1), and a raw device dax1.0 of 4 MiB. */
export function machineWithFiles(files = 4): string {
  const root = path.join(temporaryDirectory('/dev/shm'), 'machine');
  const machine = openMachine(root, { create: true });
  machine.createRegion({ size: '64MiB' });
  machine.createRegion({ size: '4MiB' });
  machine.reconfigure('dax0.0', 'famfs');
  mkfs(machine.device('dax0.0'));
  const volume = mountFamfs(machine.device('dax0.0'));
  for (let i = 0; i < files; i++) {
    const file = volume.create(`/f${i}`, { size: 2 ** 20 });
    file.write(new Uint8Array(2 ** 20).fill(i + 1), 0);
    file.close();
  }
  volume.close();
  machine.close();
  return root;
}

const prelude = (root: string) => `
  import crypto from 'node:crypto';
  import fs from 'node:fs';
  import zlib from 'node:zlib';
  import { Worker } from 'node:worker_threads';
  import { mountFamfs, openMachine } from ${JSON.stringify(dist)};
  const root = ${JSON.stringify(root)};
  const machine = openMachine(root);
  const volume = mountFamfs(machine.device('dax0.0'));
  const maps = () => fs.readFileSync('/proc/self/maps', 'latin1').split('\\n');
  /** Mappings of the machine's files. */
  const mapped = () => maps().filter((line) => line.includes(root)).length;
  const turn = (ms = 10) => new Promise((done) => setTimeout(done, ms));
  /** Lets the collector work until \`done\`, for a while. */
  const collected = async (done) => { for (let i = 0; i < 100 && !done(); i++) { gc(); await turn(); } };
  const enqueue = (view) => {
    let controller;
    const stream = new ReadableStream({ type: 'bytes', start: (made) => void (controller = made) });
    controller.enqueue(view);
    return stream.getReader().read().then(({ value }) => value);
  };
`;

export interface Outcome {
  stdout: string;
  stderr: string;
  /** Exit code, or the signal. */
  end: number | string | null;
}

/** Runs a script in a separate process, with a machine of machineWithFiles() open. */
export function onMachine(
  root: string,
  script: string,
  env: Record<string, string> = {},
  node = process.execPath,
  timeout = 55_000,
): Outcome {
  const { stdout, stderr, status, signal } = spawnSync(
    node,
    ['--expose-gc', '--input-type=module', '-e', prelude(root) + script],
    { encoding: 'utf8', env: { ...process.env, UDAX_DEBUG: '', ...env }, timeout },
  );
  return { stdout, stderr, end: signal ?? status };
}

/** One process of the stress. */
export function stress(node: string, root: string, seed: number, forMs: number): Promise<Outcome> {
  const script = path.join(import.meta.dirname, 'stress-child.mjs');
  const args = ['--expose-gc', script, dist, root, String(seed), String(forMs)];
  const child = spawn(node, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (text) => (stdout += text));
  child.stderr.on('data', (text) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ stdout, stderr, end: signal ?? code }));
  });
}

export const isBuilt = fs.existsSync(dist);
