// bin/door.js: the command starts from V8's compiled code of it, which the first run keeps. Right: whatever lies there, every command runs.
import { spawnSync } from 'node:child_process';
import {
  chownSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/libc/package-root.js';

const NOBODY = 65534;
const root = packageRoot();
let directory: string;
let cache: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'udax-door-'));
  for (const name of ['bin', 'package.json', 'dist/bundle/cli', 'dist/libc'])
    cpSync(join(root, name), join(directory, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
  cache = join(directory, 'dist/bundle/cache');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function run(...words: string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(directory, 'bin/udax.js'), '--root', join(directory, 'machine'), ...words],
    { encoding: 'utf8' },
  );
  return { status, stdout, stderr };
}

const kept = (): string => {
  const [file, ...more] = readdirSync(cache);
  expect(more).toEqual([]);
  return join(cache, file!);
};

describe('the door of the command', () => {
  it('keeps the compiled code at the first run that succeeds, and starts from it', () => {
    expect(run('no-such-command').status).toBe(2);
    expect(() => readdirSync(cache)).toThrow('ENOENT');
    expect(run('list')).toEqual({ status: 0, stdout: '', stderr: '' });
    const { ino, size } = statSync(kept());
    expect(size).toBeGreaterThan(100_000);
    expect(run('list')).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(statSync(kept())).toMatchObject({ ino, size });
  });

  it('does without code that is no code, of another build or cut, and keeps good code in its place', () => {
    run('list');
    const good = readFileSync(kept());
    for (const bad of [
      Buffer.alloc(0),
      Buffer.from('no code'),
      good.subarray(0, 5000),
      Buffer.alloc(good.length),
    ]) {
      writeFileSync(kept(), bad);
      expect(run('list')).toEqual({ status: 0, stdout: '', stderr: '' });
      expect(readFileSync(kept()).subarray(0, 16)).toEqual(good.subarray(0, 16));
    }
    // A build whose text differs asks for other code, however long it is.
    const script = join(directory, 'dist/bundle/cli/main.cjs');
    const text = readFileSync(script, 'latin1');
    writeFileSync(
      script,
      text.replace(/^\/\* \w/, (start) => (start.endsWith('0') ? '/* 1' : '/* 0')),
      'latin1',
    );
    expect(run('list').status).toBe(0);
    expect(readdirSync(cache)).toHaveLength(2);
  });

  it('S20: lets nobody else write what it starts from, whatever the umask', () => {
    const door = join(directory, 'bin/udax.js');
    const status = spawnSync('sh', [
      '-c',
      'umask 0; exec "$0" "$@"',
      process.execPath,
      door,
      '--help',
    ]).status;
    expect(status).toBe(0);
    expect([cache, kept()].map((path) => statSync(path).mode & 0o777)).toEqual([0o755, 0o644]);
  });

  it.skipIf(process.getuid?.() !== 0)('S20: writes nothing into a package of another user', () => {
    chownSync(join(directory, 'dist/bundle'), NOBODY, NOBODY);
    expect(run('list')).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(() => readdirSync(cache)).toThrow('ENOENT');
  });

  it('says the version without the program, and that the program is not built', () => {
    rmSync(join(directory, 'dist'), { recursive: true });
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const door = join(directory, 'bin/udax.js');
    expect(spawnSync(process.execPath, [door, '--version'], { encoding: 'utf8' })).toMatchObject({
      status: 0,
      stdout: `${version}\n`,
      stderr: '',
    });
    expect(run('list')).toEqual({
      status: 1,
      stdout: '',
      stderr: 'udax: not built yet: run `npm run build` in the udax checkout (ENOENT)\n',
    });
  });
});
