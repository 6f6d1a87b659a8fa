// udax run as a command: what it passes on, and what it tells.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { binary, have } from '../mounts/support.js';

function run(words: string[], env: NodeJS.ProcessEnv = {}) {
  return spawnSync(process.execPath, [binary, 'run', ...words], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
}

describe('udax run', () => {
  it('ends with the status of its command, or by its signal', () => {
    expect(run(['--', 'sh', '-c', 'exit 7']).status).toBe(7);
    expect(run(['--', 'true']).status).toBe(0);
    expect(run(['--', 'sh', '-c', 'kill -TERM $$']).signal).toBe('SIGTERM');
    expect(run(['--', 'sh', '-c', 'kill -SEGV $$']).status).toBe(128 + 11);
  });

  it('passes signals on to its command', async () => {
    const script =
      'trap "echo got it; exit 5" TERM; echo ready; n=0; while [ $n -lt 400 ]; do n=$((n+1)); sleep 0.05; done';
    const child = spawn(process.execPath, [binary, 'run', '--', 'sh', '-c', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    for await (const chunk of child.stdout) {
      said += chunk;
      if (said === 'ready\n') child.kill('SIGTERM');
    }
    const [status] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode];
    expect([said, status]).toEqual(['ready\ngot it\n', 5]);
  });

  // What went wrong: looking whether stdin is a terminal made Node set the pipe to non-blocking, and the command found its end.
  it('leaves the pipes of its command as they are: a reader that waits gets all of it', async () => {
    const script = 'read a; read b; echo "$a $b"';
    const child = spawn(process.execPath, [binary, 'run', '--', 'sh', '-c', `echo ready; ${script}`], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let said = '';
    for await (const chunk of child.stdout) {
      if (said === '') {
        child.stdin.write('one\n');
        child.stdin.end('two\n');
      }
      said += chunk;
    }
    expect(said).toBe('ready\none two\n');
  });

  it('keeps what was preloaded before, behind its own', () => {
    const { stdout } = run(['--', 'sh', '-c', 'echo $LD_PRELOAD'], { LD_PRELOAD: '/nowhere/other.so' });
    expect(stdout).toMatch(/\/udax-run\.so:\/nowhere\/other\.so\n$/);
  });

  it('says what cannot be preloaded, and runs it all the same', () => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-run-'));
    try {
      // The head of a program without a loader in its headers; it is read, and as it has no code it cannot be started.
      const elf = Buffer.alloc(4096);
      elf.write('\x7fELF\x02\x01\x01', 'latin1');
      elf.writeUInt16LE(process.arch === 'arm64' ? 183 : 62, 18);
      const program = path.join(directory, 'static');
      fs.writeFileSync(program, elf, { mode: 0o755 });
      expect(run(['--', program]).stderr).toContain(
        `${program} is statically linked: it maps files of a mount the old way`,
      );
      elf.writeUInt16LE(3, 18);
      fs.writeFileSync(program, elf);
      expect(run(['--', program]).stderr).toContain('is for another processor');
      const script = path.join(directory, 'script');
      fs.writeFileSync(script, `#!/bin/sh\necho $0\n`, { mode: 0o755 });
      expect(run(['--', script])).toMatchObject({ status: 0, stdout: `${script}\n`, stderr: '' });
    } finally {
      fs.rmSync(directory, { recursive: true, force: true });
    }
  });

  it.skipIf(!have('busybox'))(
    `a static program runs${have('busybox') ? '' : ' (skipped: there is no busybox)'}`,
    () => {
      expect(run(['--', 'busybox', 'echo', 'hello']).stdout).toBe('hello\n');
    },
  );

  it('explains what is wrong with the command line', () => {
    expect(run([])).toMatchObject({ status: 2, stderr: expect.stringContaining('nothing to run') });
    expect(run(['--explain', 'ls']).stderr).toContain('--explain took ls for its file');
    expect(run(['--', 'no-such-program'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('(ENOENT)'),
    });
    expect(run(['--explain=/nowhere/at/all', '--', 'true']).stderr).toContain('cannot be written to explain');
  });

  it('doctor says which library it would preload', () => {
    const { stdout } = spawnSync(process.execPath, [binary, 'doctor'], { encoding: 'utf8' });
    expect(stdout).toMatch(/^udax run +ok +(dist\/native|native\/prebuilt)\/linux-\w+, checksum right$/m);
  });
});
