/**
 * Incident: a process that had loaded koffi 3.3.4 never ended when fsync(2) of stderr failed (stderr closed, or on a broken
 * disk). koffi's exit handler reports that failure on stderr while it holds the lock of stderr. Right: the process ends with the
 * status it intended.
 */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const libc = resolve(import.meta.dirname, '../../dist/libc/index.js');
const program = (ending: string) =>
  `import fs from 'node:fs'; import { fileSystemOf } from ${JSON.stringify(libc)}; fileSystemOf(1); ${ending}`;
const run = (ending: string, wrapper: string[] = []) => {
  const [command, ...words] = [...wrapper, process.execPath, '--input-type=module', '-e', program(ending)];
  return spawnSync(command!, words, { encoding: 'utf8', timeout: 150_000, killSignal: 'SIGKILL' });
};

describe('a process that loaded the C library', () => {
  it.each([
    ['stderr', 'fs.closeSync(2)'],
    ['stdout', 'fs.closeSync(1)'],
    ['both', 'fs.closeSync(1); fs.closeSync(2)'],
  ])('ends though %s is closed', (_what, ending) => {
    const { status, signal } = run(`${ending}; process.exitCode = 7;`);
    expect({ status, signal }).toEqual({ status: 7, signal: null });
  });

  const hasStrace = spawnSync('strace', ['-V']).status === 0;
  it.skipIf(!hasStrace)('ends though its outputs cannot be synced: EIO (needs strace)', () => {
    const log = `/tmp/udax-strace-${process.pid}`;
    const wrapper = ['strace', '-o', log, '-e', 'trace=fsync', '-e', 'inject=fsync:error=EIO:when=1..2'];
    const { status, signal, stdout } = run("console.log('said'); process.exitCode = 5;", wrapper);
    rmSync(log, { force: true });
    expect({ status, signal, stdout }).toEqual({ status: 5, signal: null, stdout: 'said\n' });
  });

  it('keeps what it printed', () => {
    expect(run("console.log('out'); console.error('err');")).toMatchObject({
      status: 0,
      stdout: 'out\n',
      stderr: 'err\n',
    });
  });
});
