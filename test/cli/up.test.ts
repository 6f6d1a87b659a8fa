/** `udax up` that stays: the mount or why there is none, three things to try, and Ctrl-C takes all down. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { because, have, noMounts, sh } from '../mounts/support.js';
import { startUdax, temporaryDirectory, testEnvironment, udax } from './support/udax.js';

let directory: ReturnType<typeof temporaryDirectory>;
const root = () => join(directory.path, 'state');
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => {
  sh(`umount -l '${root()}/mnt' 2>/dev/null`);
  directory.remove();
});

/** Starts it, and waits until it stays. */
async function upAndStaying(...options: string[]) {
  const child = startUdax(root(), ...options, 'up', '-s', '256M');
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (piece) => {
    stdout += piece;
  });
  child.stderr.on('data', (piece) => {
    stderr += piece;
  });
  for (let i = 0; i < 600 && child.exitCode === null && !stderr.includes('Ctrl-C ends this'); i++)
    await new Promise((resolve) => setTimeout(resolve, 50));
  return { child, stdout, stderr };
}

/** The commands under `Try next:`. */
const stepsIn = (stdout: string) =>
  stdout
    .slice(stdout.indexOf('Try next:'))
    .split('\n')
    .slice(1)
    .filter((line) => line.startsWith('  '));

describe.skipIf(noMounts !== '')(`udax up where FUSE is allowed${because}`, () => {
  it('mounts, and everything it says to try works', async () => {
    const { child, stdout } = await upAndStaying();
    const at = join(root(), 'mnt');
    expect(stdout).toContain(`any program finds its files at ${at} (FUSE)`);
    const steps = stepsIn(stdout);
    expect(steps.length).toBe(have('python3') ? 4 : 3);
    for (const step of steps) {
      const run = spawnSync('sh', ['-c', step], {
        encoding: 'utf8',
        env: testEnvironment(),
        timeout: 600_000,
      });
      expect([step, run.status, run.stderr, run.stdout.length > 0]).toEqual([step, 0, '', true]);
    }
    if (have('python3')) expect(sh(steps.at(-1)!).stdout).toContain('Apache License');
    child.kill('SIGINT');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  it('Ctrl-C takes all down: no mount, no holder, no process, no record', async () => {
    const { child } = await upAndStaying();
    const at = join(root(), 'mnt');
    const children = sh(`cat /proc/${child.pid}/task/*/children`).stdout.trim();
    child.kill('SIGINT');
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(children.split(' ').filter((pid) => pid !== '' && existsSync(`/proc/${pid}`))).toEqual([]);
    expect(sh(`mountpoint -q '${at}'`).status).not.toBe(0);
    expect(readdirSync(at)).toEqual([]);
    expect(readdirSync(join(root(), 'mounts'))).toEqual([]);
    expect(JSON.parse(udax(root(), '--json', 'holders').stdout)).toEqual([]);
  });

  it('with --json says where it is mounted', async () => {
    const { child, stdout } = await upAndStaying('--json');
    expect(JSON.parse(stdout)).toMatchObject({ mount: { directory: join(root(), 'mnt') } });
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });
});

describe.skipIf(noMounts !== '')(`udax up where it may not mount${because}`, () => {
  it('goes on, says why, and what it says to try needs no mount', async () => {
    const program = join(import.meta.dirname, '../../bin/udax.js');
    const [out, err] = ['out', 'err'].map((name) => join(directory.path, name));
    // Its own /dev, without fuse.
    const script = `mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/urandom c 1 9
      '${process.execPath}' '${program}' --root '${root()}' up -s 256M >'${out}' 2>'${err}' & pid=$!
      until grep -q 'Ctrl-C ends' '${err}'; do kill -0 $pid || exit 1; sleep 0.1; done
      kill -TERM $pid; wait $pid; echo "status $?"; cat '${out}'; cat '${err}' >&2`;
    const run = spawnSync('unshare', ['-m', 'sh', '-c', script], {
      encoding: 'utf8',
      env: testEnvironment(),
      timeout: 600_000,
    });
    expect(run.stdout).toContain('status 0');
    expect(run.stdout).toMatch(/^ {2}not mounted: .*\/dev\/fuse.*\(E[A-Z]+\)$/m);
    const steps = stepsIn(run.stdout);
    expect(steps.filter((step) => step.includes('/mnt'))).toEqual([]);
    expect(steps[0]).toMatch(/ ls -lR dax0\.0:\/$/);
    expect(run.stderr).toContain('closed');
  });
});
