import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach } from 'vitest';
import type * as Fuse from '../../../src/fuse/index.js';

const builtFuse = new URL('../../../dist/fuse/index.js', import.meta.url);
const sample = new URL('./memory-file-system.mjs', import.meta.url);
const daemonScript = fileURLToPath(new URL('./daemon.mjs', import.meta.url));

/** Why no real mount is possible here; '' when it is. */
export const noMounts = reasonAgainstMounts();

function reasonAgainstMounts(): string {
  if (!fs.existsSync(builtFuse)) return 'needs dist/: npm run build';
  if (!fs.existsSync('/dev/fuse')) return 'needs /dev/fuse';
  if (process.geteuid?.() !== 0) return 'needs root, for mount(2)';
  const place = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-fuse-probe-'));
  try {
    if (spawnSync('mount', ['-t', 'tmpfs', 'probe', place]).status !== 0) return 'needs the right to mount';
    spawnSync('umount', [place]);
    return '';
  } finally {
    fs.rmdirSync(place);
  }
}

export async function builtFace(): Promise<typeof Fuse> {
  return (await import(builtFuse.href)) as typeof Fuse;
}

const directories = new Set<string>();
const daemons = new Set<ChildProcess>();

/** Ends the daemons and mounts of a test and removes its directories, whatever the test did. */
function cleanUp(): void {
  for (const daemon of daemons) daemon.kill('SIGKILL');
  daemons.clear();
  for (const directory of directories) {
    for (let left = 8; left > 0 && isMounted(directory); left -= 1) {
      spawnSync('umount', ['-l', directory], { timeout: 5000 });
    }
    try {
      fs.rmdirSync(directory);
    } catch {
      continue; // still busy: the next call, or the end of the process, tries again
    }
    directories.delete(directory);
  }
}

export function cleanUpAfterEachTest(): void {
  const sessions = new Set<Fuse.FuseSession>();
  opened = sessions;
  afterEach(async () => {
    for (const session of sessions) await session.unmount();
    sessions.clear();
    cleanUp();
  });
  process.on('exit', cleanUp);
}
let opened: Set<Fuse.FuseSession> = new Set();

export function isMounted(directory: string): boolean {
  return fs.readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${directory} `);
}

export function mountpoint(): string {
  const directory = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'udax-fuse-')));
  directories.add(directory);
  return directory;
}

/** The memory file system, mounted and served by a worker of this process. */
export async function mountSample(
  data: Record<string, unknown>,
  more: Partial<Fuse.FuseSessionOptions> = {},
): Promise<{ session: Fuse.FuseSession; directory: string }> {
  const { startSession } = await builtFace();
  const directory = more.mountpoint ?? mountpoint();
  const session = await startSession({
    mountpoint: directory,
    fileSystem: { moduleUrl: sample, data },
    ...more,
  });
  opened.add(session);
  return { session, directory };
}

/** Runs a command that may touch a mount, with a time limit, and never in the thread that serves the mount. */
export function run(
  command: string,
  ...args: string[]
): Promise<{ status: number | string; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(
      'timeout',
      ['-k', '1', '20', command, ...args],
      { encoding: 'utf8', maxBuffer: 1 << 26, env: { ...process.env, LC_ALL: 'C' } },
      (error, stdout, stderr) => {
        resolve({ status: error ? (error.code ?? 'killed') : 0, stdout, stderr });
      },
    );
  });
}

export const shell = (script: string) => run('bash', '-c', script);

/** Another process that serves the memory file system. */
export async function startDaemon(
  directory: string,
  data: Record<string, unknown>,
  launcher: readonly string[] = [],
): Promise<{ daemon: ChildProcess; connectionId: number; ended: Promise<string> }> {
  const words = [...launcher, process.execPath, daemonScript, directory, JSON.stringify(data)];
  const daemon = spawn(words[0]!, words.slice(1), {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  daemons.add(daemon);
  let output = '';
  const ended = new Promise<string>((resolve) => {
    daemon.on('exit', (code, signal) => {
      daemons.delete(daemon);
      resolve(`${code ?? signal}: ${output.trim()}`);
    });
  });
  const connectionId = await new Promise<number>((resolve, reject) => {
    daemon.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      const mounted = /^mounted (\d+)/m.exec(output);
      if (mounted) resolve(Number(mounted[1]));
    });
    void ended.then((text) => reject(new Error(`the daemon ended: ${text}`)));
  });
  return { daemon, connectionId, ended };
}
