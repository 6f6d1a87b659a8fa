/**
 * Incidents of the command line: a trailing slash made a file; the copy of a tree that could not fit began; an interrupted
 * pattern left its file; a full stdout gave a stack trace; `-` was a file name; with --json errors were text; control characters
 * in names changed the terminal's output.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { canMountTmpfs, withTinyTmpfs } from '../machine/support.js';
import { binary, temporaryDirectory, testEnvironment, udax } from './support/udax.js';

let directory: ReturnType<typeof temporaryDirectory>;
let root = '';
beforeEach(() => {
  directory = temporaryDirectory();
  root = join(directory.path, 'state');
  for (const words of [
    ['create-region', '-s', '64M'],
    ['reconfigure-device', '-m', 'famfs', 'dax0.0'],
    ['mkfs', 'dax0.0'],
  ]) {
    expect(udax(root, ...words).status).toBe(0);
  }
});
afterEach(() => directory.remove());

const file = (name: string, text: string | Uint8Array) => {
  const path = join(directory.path, name);
  writeFileSync(path, text);
  return path;
};
const names = () =>
  (JSON.parse(udax(root, '--json', 'ls', 'dax0.0:/').stdout) as { path: string }[]).map(({ path }) => path);

describe('a trailing slash', () => {
  it('names a directory: nothing else is made in its place', () => {
    const source = file('f', 'x');
    for (const words of [
      ['cp', source, 'dax0.0:/dir/'],
      ['cp', source, 'dax0.0:/no/dir/'],
    ]) {
      const { status, stderr } = udax(root, ...words);
      expect(status).toBe(1);
      expect(stderr).toMatch(/\((ENOTDIR|ENOENT)\)\n$/);
    }
    expect(udax(root, 'creat', '-s', '4096', 'dax0.0:/c/').stderr).toMatch(/EISDIR/);
    expect(udax(root, 'cp', source, 'dax0.0:/f').status).toBe(0);
    expect(udax(root, 'cat', 'dax0.0:/f/').stderr).toMatch(/ENOTDIR/);
    expect(udax(root, 'cp', 'dax0.0:/f', `${directory.path}/none/`).stderr).toMatch(
      /none\/ is not there.*ENOTDIR/,
    );
    expect(names()).toEqual(['/f']);
    expect(udax(root, 'mkdir', 'dax0.0:/d/').status).toBe(0);
    expect(udax(root, 'cp', source, 'dax0.0:/d/').status).toBe(0);
    expect(udax(root, 'cat', 'dax0.0:/d/f').stdout).toBe('x');
  });
});

describe('cp -r', () => {
  it('that cannot fit says what is needed and what is there, and makes nothing', () => {
    mkdirSync(join(directory.path, 'many'));
    for (let i = 0; i < 40; i++) file(`many/f${i}`, new Uint8Array(900_000));
    const { status, stderr } = udax(root, 'cp', '-r', join(directory.path, 'many'), 'dax0.0:/');
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /takes 80 MiB in units of 2 MiB, dax0\.0 has 54 MiB free: nothing was copied \(ENOSPC\)/,
    );
    expect(names()).toEqual([]);
  });

  it('that fits says what space it took', () => {
    mkdirSync(join(directory.path, 'few'));
    for (let i = 0; i < 3; i++) file(`few/f${i}`, 'small');
    const { status, stdout } = udax(root, '--json', 'cp', '-r', join(directory.path, 'few'), 'dax0.0:/');
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      files: 3,
      directories: 1,
      bytes: 15,
      spaceBytes: 3 * 2 ** 21,
    });
  });
});

describe('creat -r', () => {
  it.skipIf(!canMountTmpfs)('that fails half way leaves no file (needs root to mount a tmpfs)', () => {
    withTinyTmpfs(48 * 2 ** 20, (small) => {
      const here = join(small, 'state');
      udax(here, 'create-region', '-s', '1G', '--sparse');
      udax(here, 'reconfigure-device', '-m', 'famfs', 'dax0.0');
      expect(udax(here, 'mkfs', 'dax0.0').status).toBe(0);
      const { status, stderr } = udax(here, 'creat', '-s', '500M', '-r', '-S', '1', 'dax0.0:/pattern');
      expect(status).toBe(1);
      expect(stderr).toMatch(/ENOSPC/);
      expect(udax(here, 'ls', 'dax0.0:/').stdout).toBe('');
    });
  });

  it('makes what verify finds, also over several units', () => {
    expect(udax(root, 'creat', '-s', '5000000', '-r', '-S', '7', 'dax0.0:/p').status).toBe(0);
    expect(udax(root, 'verify', '-S', '7', 'dax0.0:/p').status).toBe(0);
  });
});

describe('standard output', () => {
  it.each([
    [['cat', 'dax0.0:/f']],
    [['ls', 'dax0.0:/']],
    [['--help']],
    [['--json', 'status']],
    [['cp', 'dax0.0:/f', '-']],
  ])('that is full is one line and exit 1: %s', (words) => {
    udax(root, 'cp', file('f', 'text'), 'dax0.0:/f');
    const full = openSync('/dev/full', 'w');
    const { status, stderr } = spawnSync(process.execPath, [binary, '--root', root, ...words], {
      stdio: ['ignore', full, 'pipe'],
      encoding: 'utf8',
    });
    expect(status).toBe(1);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stderr).toMatch(/writing to stdout: no space left on device/);
  });

  it('is - as a destination, and then holds the file alone', () => {
    udax(root, 'cp', file('f', 'text'), 'dax0.0:/f');
    expect(udax(root, 'cp', 'dax0.0:/f', '-')).toMatchObject({ status: 0, stdout: 'text' });
    expect(udax(root, 'cp', 'dax0.0:/f', '/dev/stdout')).toMatchObject({ status: 0, stdout: 'text' });
    const target = openSync(join(directory.path, 'out'), 'w');
    spawnSync(process.execPath, [binary, '--root', root, 'cp', 'dax0.0:/f', '-'], {
      stdio: ['ignore', target, 'inherit'],
    });
    expect(readFileSync(join(directory.path, 'out'), 'utf8')).toBe('text');
    expect(existsSync('-')).toBe(false);
  });
});

describe('a source without a size', () => {
  const piped = (input: string | Uint8Array, ...words: string[]) =>
    spawnSync(process.execPath, [binary, '--root', root, ...words], {
      input,
      encoding: 'utf8',
      env: testEnvironment(),
    });

  it('is - or /dev/stdin: the file appears when the pipe has ended', () => {
    const text = 'line\n'.repeat(600_000);
    expect(piped(text, 'cp', '-', 'dax0.0:/a').status).toBe(0);
    expect(piped('two', 'cp', '/dev/stdin', 'dax0.0:/b').status).toBe(0);
    expect(udax(root, 'cp', 'dax0.0:/a', join(directory.path, 'a')).status).toBe(0);
    expect(readFileSync(join(directory.path, 'a'), 'utf8')).toBe(text);
    expect(udax(root, 'cat', 'dax0.0:/b').stdout).toBe('two');
  });

  it('is a fifo', async () => {
    const fifo = join(directory.path, 'fifo');
    spawnSync('mkfifo', [fifo]);
    const writer = spawn('sh', ['-c', `printf through > '${fifo}'`], { stdio: 'ignore' });
    expect(udax(root, 'cp', fifo, 'dax0.0:/c').status).toBe(0);
    await new Promise((resolve) => (writer.exitCode === null ? writer.once('exit', resolve) : resolve(null)));
    expect(udax(root, 'cat', 'dax0.0:/c').stdout).toBe('through');
  });

  it('that is empty makes an empty file; one that has no name to go by is an error that says so', () => {
    expect(piped('', 'cp', '-', 'dax0.0:/empty')).toMatchObject({ status: 0 });
    expect(names()).toEqual(['/empty']);
    expect(piped('x', 'cp', '-', 'dax0.0:/').stderr).toMatch(/needs a name/);
    expect(names()).toEqual(['/empty']);
    udax(root, 'rm', 'dax0.0:/empty');
  });
});

describe('--json', () => {
  it('makes errors one document on stderr, with the same exit status', () => {
    const missing = udax(root, '--json', 'ls', 'dax0.0:/none');
    expect({ status: missing.status, stdout: missing.stdout }).toEqual({ status: 1, stdout: '' });
    expect(JSON.parse(missing.stderr)).toEqual({
      error: { code: 'ENOENT', message: expect.stringContaining('/none'), path: '/none' },
    });
    const wrong = udax(root, '--json', 'bogus');
    expect(wrong.status).toBe(2);
    expect(JSON.parse(wrong.stderr)).toMatchObject({
      error: { code: 'EINVAL', hint: expect.stringContaining('--help') },
    });
  });

  it('of verify prints its document on a mismatch too', () => {
    udax(root, 'creat', '-s', '4096', '-r', '-S', '1', 'dax0.0:/p');
    const { status, stdout } = udax(root, '--json', 'verify', '-S', '2', 'dax0.0:/p');
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ path: '/p', ok: false, differsAt: 0 });
  });
});

describe('names', () => {
  it('that would turn or hide the line are shown escaped, in text, errors and JSON', () => {
    const name = 'a\u202eb\u200bc';
    udax(root, 'cp', file(name, 'x'), 'dax0.0:/');
    expect(udax(root, 'ls', 'dax0.0:/').stdout).toBe('a\\u202eb\\u200bc\n');
    const json = udax(root, '--json', 'ls', 'dax0.0:/').stdout;
    expect(json).not.toContain('\u202e');
    expect(JSON.parse(json)).toMatchObject([{ path: `/${name}` }]);
    expect(udax(root, 'cat', `dax0.0:/${name}x`).stderr).toContain('a\\u202eb');
  });
});

describe('status', () => {
  it('says when the memory of a region is gone', () => {
    writeFileSync(join(root, 'regions', '0.mem'), '');
    expect(udax(root, 'status').stdout).toMatch(/0\.mem \(its file has 0 bytes of 67108864\)/);
    const { status, stderr } = udax(root, 'fsck', 'dax0.0');
    expect(status).toBe(1);
    expect(stderr).toMatch(/0\.mem: its file has 0 bytes of 67108864.*\(EIO\)/);
  });
});

describe('explore that is interrupted', () => {
  it.each([[[]], [['--json']]])('prints what it has found so far, and exits 130 %j', async (words) => {
    const child = spawn(process.execPath, [binary, ...words, 'explore', '--time', '600'], {
      env: testEnvironment(),
    });
    let stdout = '';
    child.stdout.on('data', (data) => (stdout += data));
    // After some processor time it is in the middle of its work.
    await until(() => Number(readFileSync(`/proc/${child.pid}/stat`, 'latin1').split(' ')[13]) > 150);
    child.kill('SIGINT');
    const [code] = await once(child, 'close');
    expect(code).toBe(130);
    if (words.length > 0) expect(JSON.parse(stdout)).toMatchObject({ ended: 'interrupted', found: null });
    else expect(stdout).toMatch(/states, \d+ events, .* s: interrupted; every state up to depth \d+\n/);
  });
});

describe('a process that may open too few files', () => {
  it('is told which, in one line, whether it is the program that cannot be loaded or what it works on', () => {
    const status = (limit: number) =>
      spawnSync(
        'sh',
        ['-c', `ulimit -n ${limit}; exec "$0" "$@"`, process.execPath, binary, '--root', root, 'status'],
        { encoding: 'utf8', env: testEnvironment() },
      );
    const enough = status(1024);
    expect(enough).toMatchObject({ status: 0, stderr: '' });
    // How many Node itself opens differs. Where the program gets through it is right.
    let refused = 0;
    for (const limit of [18, 19, 20, 21, 22, 24, 26, 30, 40]) {
      const { status: code, signal, stderr, stdout } = status(limit);
      // Too few for Node, which then aborts, or cannot read what it begins with.
      if (signal !== null || stderr.startsWith('node:')) continue;
      if (code === 1) refused++;
      if (code === 0) expect({ stdout, stderr }).toEqual({ stdout: enough.stdout, stderr: '' });
      else {
        expect({ limit, code, stdout }).toEqual({ limit, code: 1, stdout: '' });
        expect(stderr).toMatch(/^udax: .*\/\S+.*too many open files.*ulimit -n.* \(EMFILE\)\n$/);
      }
    }
    expect(refused).toBeGreaterThan(0);
  });
});

describe.skipIf(process.getuid?.() !== 0)('another user (skipped where this is not root)', () => {
  it('is told by every command what it may not touch', () => {
    chmodSync(directory.path, 0o755);
    const image = file('img', readFileSync(join(root, 'regions/0.mem')));
    chmodSync(image, 0o600);
    chmodSync(root, 0o700);
    for (const words of [
      ['status'],
      ['list'],
      ['create-region', '-s', '16M'],
      ['ls', 'dax0.0:/'],
      ['fsck', image],
      ['mkfs', '-f', image],
      ['cp', `${image}:/f`, join(directory.path, 'out')],
      ['creat', '-s', '4096', `${image}:/f`],
      ['holders'],
      ['umount', directory.path],
    ]) {
      const { status, stderr } = spawnSync(process.execPath, [binary, '--root', root, ...words], {
        encoding: 'utf8',
        env: testEnvironment(),
        uid: 65534,
        gid: 65534,
      });
      expect({ words, status }).toEqual({ words, status: 1 });
      expect(stderr).toMatch(/^udax: .*\/udax-cli-\S+ .*permission denied \(EACCES\)\n$/);
    }
  });
});

describe('a region that is full', () => {
  it('says so, and not that 0 bytes were asked of 0', () => {
    const { status, stderr } = udax(root, 'create-device', '-r', '0');
    expect(status).toBe(1);
    expect(stderr).toBe('udax: region 0 is full: disable and destroy a device of it first (ENOSPC)\n');
  });
});

describe('cat', () => {
  it('of memory that is cut meanwhile ends with an error, not by a signal', async () => {
    expect(udax(root, 'creat', '-s', '32M', 'dax0.0:/big').status).toBe(0);
    const child = spawn(process.execPath, [binary, '--root', root, 'cat', 'dax0.0:/big'], {
      env: testEnvironment(),
    });
    let stderr = '';
    child.stderr.on('data', (data) => (stderr += data));
    // It blocks on the pipe, which nobody reads, with most of the file still to come.
    await once(child.stdout, 'readable');
    truncateSync(join(root, 'regions/0.mem'), 2 ** 20);
    child.stdout.resume();
    const [code, signal] = await once(child, 'close');
    expect({ code, signal }).toEqual({ code: 1, signal: null });
    expect(stderr).toMatch(/0\.mem.*\(EIO\)\n$/);
  });
});

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await wait(20);
}
