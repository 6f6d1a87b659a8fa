import { once } from 'node:events';
import { existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { goldenImage, startUdax, temporaryDirectory, udax } from './support/udax.js';

let directory: ReturnType<typeof temporaryDirectory>;
let root: string;

beforeEach(() => {
  directory = temporaryDirectory();
  root = join(directory.path, 'root');
});
afterEach(() => directory.remove());

describe('exit statuses and streams', () => {
  it('help and version are results: stdout, exit 0', () => {
    const help = udax(root, '--help');
    expect(help).toMatchObject({ status: 0, stderr: '' });
    expect(help.stdout).toContain('create-region');
    expect(help.stdout).toContain('Examples:');
    const one = udax(root, 'cp', '--help');
    expect(one).toMatchObject({ status: 0, stderr: '' });
    expect(one.stdout).toContain('Examples:');
    expect(udax(root, '--version').stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it('an unknown command is wrong usage and hears what exists', () => {
    const { status, stdout, stderr } = udax(root, 'frobnicate');
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^udax: unknown command 'frobnicate'.* \(EINVAL\)\n/);
    expect(stderr).toContain('mkfs');
  });

  it('--role client only reads, also on the host that owns the volume; --role is one of two', () => {
    const image = join(directory.path, 'role.img');
    writeFileSync(image, '');
    truncateSync(image, 32 * 2 ** 20);
    expect(udax(root, 'mkfs', image).status).toBe(0);
    const refused = udax(root, '--role', 'client', 'mkdir', `${image}:/a`);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/\(EROFS\)\n$/);
    expect(udax(root, 'mkdir', '--role', 'master', `${image}:/a`).status).toBe(0);
    expect(udax(root, '--role', 'client', 'ls', `${image}:/`).stdout).toBe('a/\n');
    expect(udax(root, '--role', 'king', 'ls', `${image}:/`).status).toBe(2);
  });

  it('wrong options and arguments are wrong usage, and touch nothing', () => {
    for (const args of [['create-region', '-s', '12q'], ['ls', '--bogus', 'dax0.0:/'], ['mkfs']]) {
      const { status, stdout, stderr } = udax(root, ...args);
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
      expect(stderr.split('\n')[0]).toMatch(/^udax: .* \(EINVAL\)$/);
      expect(stderr).not.toContain('    at ');
    }
    expect(existsSync(root)).toBe(false);
  });

  it('a failure is one line on stderr with its code, and exit 1', () => {
    const { status, stdout, stderr } = udax(root, 'ls', `${directory.path}/nothing.img:/`);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/^udax: .*nothing\.img.* \(ENOENT\)\n$/);
  });

  it('fsck of a damaged volume prints its JSON and exits 1', () => {
    const { file } = goldenImage('25-bad-entry-crc-mid', directory.path);
    const { status, stdout, stderr } = udax(root, 'fsck', '--json', file);
    expect({ status, stderr }).toEqual({ status: 1, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      errors: [{ entry: 4, offset: expect.any(Number) }],
    });
    const shown = udax(root, 'ls', `${file}:/d`);
    expect(shown).toMatchObject({ status: 0, stdout: 'f0\nf1\nf2\n' });
    expect(shown.stderr).toContain('log entry 4');
  });

  it('list of nothing prints nothing and succeeds, without making a machine', () => {
    expect(udax(root, 'list', '-DRM')).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(existsSync(root)).toBe(false);
  });
});

describe('a pool from nothing, each command a process', () => {
  it('region, famfs, files in and out, and what is left on stdout is JSON', () => {
    const json = (...args: string[]) => {
      const { status, stdout, stderr } = udax(root, '--json', ...args);
      expect({ args, status, stderr }).toEqual({ args, status: 0, stderr: '' });
      return JSON.parse(stdout);
    };
    expect(json('create-region', '-s', '32M')).toMatchObject({ id: 0, size: 32 << 20, devices: ['dax0.0'] });
    expect(json('reconfigure-device', '-m', 'famfs', 'dax0.0')).toEqual([
      expect.objectContaining({ chardev: 'dax0.0', mode: 'famfs' }),
    ]);
    expect(json('mkfs', 'dax0.0')).toMatchObject({ logLength: 8 << 20, deviceSize: 32 << 20 });
    const source = join(directory.path, 'hello');
    writeFileSync(source, 'hello, memory\n');
    expect(json('cp', source, 'dax0.0:/')).toMatchObject({ files: 1, failures: [] });
    expect(udax(root, 'cat', 'dax0.0:/hello').stdout).toBe('hello, memory\n');
    expect(json('fsck', 'dax0.0')).toMatchObject({ ok: true, files: 1 });
  });

  it('cat into a closed pipe ends quietly', async () => {
    udax(root, 'create-region', '-s', '64M');
    udax(root, 'reconfigure-device', '-m', 'famfs', 'dax0.0');
    udax(root, 'mkfs', 'dax0.0');
    udax(root, 'creat', '-s', '16M', 'dax0.0:/zeroes');
    const reader = startUdax(root, 'cat', 'dax0.0:/zeroes');
    let stderr = '';
    reader.stderr.on('data', (data) => {
      stderr += data;
    });
    reader.stdout.once('data', () => reader.stdout.destroy());
    const [status] = await once(reader, 'exit');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});

describe('udax up', () => {
  it('makes a checked volume from nothing; the second run keeps it', () => {
    const first = udax(root, '--json', 'up', '--once');
    expect({ status: first.status, stderr: first.stderr }).toEqual({ status: 0, stderr: '' });
    const made = JSON.parse(first.stdout);
    expect(made.copied).toBeGreaterThan(0);
    expect(made.secondProcess.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(made.secondProcess.pid).not.toBe(process.pid);
    const uuid = () => JSON.parse(udax(root, '--json', 'info', made.device).stdout).superblock.uuid;
    const before = uuid();
    // Somebody writes a file of the tree, and keeps its size.
    const [name] = udax(root, 'ls', `${made.device}:/udax`)
      .stdout.split('\n')
      .filter((line) => line.endsWith('.md'));
    const target = `${made.device}:/udax/${name}`;
    const own = join(root, 'own');
    writeFileSync(own, 'x'.repeat(udax(root, 'cat', target).stdout.length));
    expect(udax(root, 'cp', own, target).status).toBe(0);
    const second = udax(root, 'up', '--once');
    expect(second.stdout).toContain('left 1 that differ as they were');
    expect(udax(root, 'cat', target).stdout).toBe(readFileSync(own, 'utf8'));
    expect({ status: second.status, stderr: second.stderr }).toEqual({ status: 0, stderr: '' });
    expect(second.stdout).toContain('kept the famfs');
    expect(second.stdout).toContain('Try next:');
    expect(uuid()).toBe(before);
  });

  it('stays until Ctrl-C, then closes and leaves the volume', async () => {
    const child = startUdax(root, 'up', '-s', '64M');
    let stderr = '';
    child.stderr.on('data', (data) => {
      stderr += data;
    });
    for (let i = 0; i < 300 && !stderr.includes('Ctrl-C ends this'); i++) await wait(50);
    for (let i = 0; i < 300 && !stderr.includes('see it live'); i++) await wait(50);
    const page = new URL(/see it live: (\S+)/.exec(stderr)![1]!);
    expect(await (await fetch(page)).text()).toContain('<title>udax inspector</title>');
    const busy = udax(root, 'disable-device', 'dax0.0');
    expect(busy).toMatchObject({ status: 1, stdout: '' });
    expect(busy.stderr).toMatch(new RegExp(`^udax: .*\\b${child.pid}\\b.*\\(EBUSY\\)`));
    child.kill('SIGINT');
    const [status] = await once(child, 'exit');
    expect(status).toBe(0);
    expect(stderr).toContain('closed');
    await expect(fetch(page)).rejects.toThrow();
    expect(JSON.parse(udax(root, '--json', 'holders').stdout)).toEqual([]);
  });
});
