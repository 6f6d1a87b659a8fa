import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { catalog } from '../../src/cli/catalog/index.js';
import { chooseRoot } from '../../src/cli/context.js';
import { binary, type Outcome, temporaryDirectory, udax } from './support/udax.js';

let directory: ReturnType<typeof temporaryDirectory>;
let root: string;

beforeEach(() => {
  directory = temporaryDirectory();
  root = join(directory.path, 'state');
});
afterEach(() => directory.remove());

const devicesHere = existsSync('/sys/bus/dax/devices') ? readdirSync('/sys/bus/dax/devices').length : 0;
const skipped = devicesHere > 0 ? ' (skipped: this host has dax devices; test/vm covers them)' : '';

describe.skipIf(devicesHere > 0)(`--kernel on a host without dax devices${skipped}`, () => {
  it('list prints nothing and exits 0, as daxctl does', () => {
    for (const options of [[], ['-DRM', '-iu'], ['-R']]) {
      expect(udax(root, '--kernel', 'list', ...options)).toEqual({ status: 0, stdout: '', stderr: '' });
    }
    expect(existsSync(root)).toBe(false);
  });

  it('status says that there is none, and where it is told how to get one', () => {
    const { status, stdout, stderr } = udax(root, '--kernel', 'status');
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/no dax device.*docs\/hardware\.md/s);
    expect(JSON.parse(udax(root, '--kernel', '--json', 'status').stdout)).toMatchObject({
      root: 'kernel:',
      devices: [],
    });
  });

  it('a device that is not there is ENODEV, in every command that takes one', () => {
    const mountpoint = join(directory.path, 'mnt');
    mkdirSync(mountpoint);
    for (const words of [
      ['mkfs', 'dax0.0'],
      ['ls', 'dax0.0:/'],
      ['disable-device', 'dax0.0'],
      ['reconfigure-device', '-m', 'devdax', 'dax0.0'],
      ['online-memory', 'dax0.0'],
      ['holders', 'dax0.0'],
      ['mount', 'dax0.0', mountpoint],
      ['--set-mode', 'df', 'dax0.0'],
    ]) {
      const { status, stdout, stderr } = udax(root, '--kernel', ...words);
      expect([words[0], status, stdout]).toEqual([words[0], 1, '']);
      expect(stderr).toMatch(/dax0\.0: no such device on the dax bus.*\(ENODEV\)/);
    }
  });

  it('doctor says so too', () => {
    const { findings } = JSON.parse(udax(root, 'doctor', '--json').stdout);
    const bus = findings.find(({ subject }: { subject: string }) => subject === 'kernel dax bus');
    expect(bus.meaning).toContain('docs/hardware.md');
  });
});

describe('--kernel', () => {
  it('refuses what only an emulated machine does, and says what does it there', () => {
    const refused = catalog.filter((spec) => spec.notOnKernel !== undefined);
    expect(refused.map(({ name }) => name).sort()).toEqual(
      ['create-region', 'destroy-region', 'poison', 'shell', 'sysfs', 'up'].sort(),
    );
    const { status, stdout, stderr } = udax(root, '--kernel', 'create-region', '-s', '1G');
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(
      /^udax: create-region is not for the kernel's bus: .*ndctl create-namespace.*\(EOPNOTSUPP\)\n$/,
    );
    expect(existsSync(root)).toBe(false);
  });

  it('is also a root: --root kernel: and $UDAX_ROOT, with the state in its usual place', () => {
    expect(chooseRoot({ root: 'kernel:' }).kernel).toBe('kernel:');
    expect(chooseRoot({ root: 'kernel:/tree' })).toEqual({
      kernel: 'kernel:/tree',
      root: expect.stringMatching(/^\/.*\/udax$/),
    });
    expect(chooseRoot({ root: './pool', kernel: true })).toEqual({
      kernel: 'kernel:',
      root: join(process.cwd(), 'pool'),
    });
    expect(chooseRoot({ root: './pool' })).toEqual({ kernel: undefined, root: join(process.cwd(), 'pool') });
    const { status, stdout } = withRoot('kernel:/sys', '--json', 'status');
    expect([status, JSON.parse(stdout).root]).toEqual([0, 'kernel:/sys']);
  });

  it('a tree that is not there is ENOENT', () => {
    expect(withRoot('kernel:/no/tree', 'list').stderr).toMatch(/\/no\/tree.*\(ENOENT\)/);
  });
});

describe('--set-mode', () => {
  it('is wrong usage without a real device to set, and runs nothing', () => {
    for (const words of [
      ['mkfs', 'pool.img'],
      ['mkfs', 'dax0.0'],
      ['--kernel', 'list'],
      ['up', '--once'],
    ]) {
      const { status, stdout, stderr } = udax(root, '--set-mode', ...words);
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
      expect(stderr).toContain('--set-mode is');
    }
    expect(existsSync(root)).toBe(false);
  });
});

function withRoot(udaxRoot: string, ...words: string[]): Outcome {
  const { status, stdout, stderr } = spawnSync(process.execPath, [binary, ...words], {
    encoding: 'utf8',
    env: { ...process.env, UDAX_ROOT: udaxRoot, XDG_STATE_HOME: directory.path },
  });
  return { status, stdout, stderr };
}
