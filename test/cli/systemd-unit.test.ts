/** `udax systemd-unit`: systemd accepts the units, and what they start works. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { because, have, noMounts, Place, sh } from '../mounts/support.js';

const noSystemd = have('systemd-analyze') ? '' : ' (systemd-analyze is not installed)';
let place: Place;
beforeEach(() => {
  place = new Place();
});
afterEach(() => place.close());

/** The unit that udax prints, written to a file of the name that it has. */
function unitOf(
  root: string,
  ...args: string[]
): { file: string; text: string; setting: (name: string) => string[] } {
  const program = join(import.meta.dirname, '../../bin/udax.js');
  const run = spawnSync(process.execPath, [program, '--root', root, 'systemd-unit', ...args], {
    encoding: 'utf8',
  });
  expect([run.status, run.stderr]).toEqual([0, '']);
  const name = basename(/^# (\S+),/.exec(run.stdout)![1]!);
  const file = join(place.directory, name);
  writeFileSync(file, run.stdout);
  const setting = (wanted: string) =>
    run.stdout
      .split('\n')
      .filter((line) => line.startsWith(`${wanted}=`))
      .map((line) => line.slice(wanted.length + 1));
  return { file, text: run.stdout, setting };
}

/** The words of an Exec line, as systemd reads them: quotes, `%%` and `$$`. */
function wordsOf(line: string): string[] {
  return [...line.replace(/^-/, '').matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, bare]) =>
      (double?.replace(/\\(.)/g, '$1') ?? single ?? bare!).replaceAll('%%', '%').replaceAll('$$', '$'),
  );
}

function run(line: string) {
  const [program, ...args] = wordsOf(line);
  return spawnSync(program!, args, { encoding: 'utf8', timeout: 30_000 });
}

describe.skipIf(noSystemd !== '')(`systemd-analyze verify${noSystemd}`, () => {
  const kinds: [string, string[]][] = [
    ['a machine in RAM', ['machine', '--ram', '4G']],
    ['a machine in a file', ['machine', '-s', '4G']],
    ['a mount', ['mount', 'dax0.0', '/mnt/models']],
    [
      'a mount with everything',
      ['mount', '--read-only', '--allow-other', '--metrics', '9464', 'dax0.0', '/mnt'],
    ],
    ['a mount of an image', ['mount', 'pool.img', '/mnt/a b%c']],
    ["a user's mount", ['mount', '--user', 'dax0.0', '/mnt']],
  ];
  it.each(kinds)('has nothing to say against the unit of %s', (_what, args) => {
    for (const root of [join(place.directory, 'state'), join(place.directory, 'a b%s$x"q')]) {
      const { file } = unitOf(root, ...args);
      const verified = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' });
      // It looks at the units of this host, too.
      const own = verified.stderr.split('\n').filter((line) => line.includes(basename(file)));
      expect([verified.status, own]).toEqual([0, []]);
    }
  });
});

describe('the unit of a machine', () => {
  it('in RAM makes it at every start, whatever the last one left, and gives it back at the stop', () => {
    const root = join(place.directory, 'a b%s$x');
    const { setting } = unitOf(root, 'machine', '--ram', '32M');
    const start = () => {
      run(setting('ExecStartPre')[0]!);
      return setting('ExecStart').map((line) => run(line).status);
    };
    expect(start()).toEqual([0, 0, 0]);
    expect(start()).toEqual([0, 0, 0]); // as after a crash of the host: nobody stopped it
    const status = JSON.parse(
      run(`${setting('ExecStop')[0]!.replace(/ destroy-region.*/, '')} --json status`).stdout,
    );
    expect(status.regions).toMatchObject([{ id: 0, backing: { ram: true } }]);
    expect(run(setting('ExecStop')[0]!).status).toBe(0);
    expect(existsSync(status.regions[0].backing.path)).toBe(false);
  });

  it('in a file is made once: where there is a machine, the unit has nothing to do', () => {
    const root = join(place.directory, 'state');
    const { setting } = unitOf(root, 'machine', '-s', '32M');
    expect(setting('ConditionPathExists')).toEqual([`!${root}/machine.json`]);
    expect(setting('ExecStart').map((line) => run(line).status)).toEqual([0, 0, 0]);
    expect(existsSync(join(root, 'machine.json'))).toBe(true);
  });
});

describe.skipIf(noMounts !== '')(`the unit of a mount${because}`, () => {
  it('is ready when the mount is there, and SIGTERM publishes what was made and takes it down', async () => {
    place.makeVolume('64MiB');
    const at = join(place.directory, 'm m%$x');
    mkdirSync(at);
    const { setting } = unitOf(place.root, 'mount', 'dax0.0', at);
    const [program, ...args] = wordsOf(setting('ExecStart')[0]!);
    const daemon = spawn(program!, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    const post = setting('ExecStartPost')[0]!.replace('$MAINPID', String(daemon.pid));
    expect(run(post).status).toBe(0);
    expect(sh(`echo hello > '${at}/a'`).status).toBe(0);
    daemon.kill('SIGTERM');
    expect(await once(daemon, 'exit')).toEqual([0, null]);
    expect(place.udax('cat', 'dax0.0:/a').stdout).toBe('hello\n');
  });

  it('is not waited for when its daemon has ended', () => {
    const { setting } = unitOf(place.root, 'mount', 'dax0.0', place.mountpoint());
    expect(run(setting('ExecStartPost')[0]!.replace('$MAINPID', '999999999')).status).toBe(1);
  });
});

describe('udax systemd-unit', () => {
  it.each([
    [['swap']],
    [['mount', 'dax0.0']],
    [['mount', '--ram', '4G', 'dax0.0', '/mnt']],
    [['machine']],
    [['machine', '--ram', '1G', '-s', '1G']],
    [['machine', '--ram', 'much']],
    [['machine', '--ram', '1G', '--allow-other']],
    [['machine', '--ram', '1G', 'dax0.0']],
  ])('%j is wrong usage', (args) => {
    const { status, stdout } = place.udax('systemd-unit', ...args);
    expect([status, stdout]).toEqual([2, '']);
  });

  it('names this installation by absolute paths, and prints name and text as JSON', () => {
    const made = JSON.parse(place.udax('--json', 'systemd-unit', 'mount', 'dax0.0', '/mnt/models').stdout);
    expect(made.name).toBe('udax-mnt-models.service');
    expect(made.text).toContain(
      `ExecStart=${process.execPath} ${join(import.meta.dirname, '../../bin/udax.js')} --root`,
    );
    expect(existsSync(wordsOf(/ExecStart=(.*)/.exec(made.text)![1]!)[1]!)).toBe(true);
  });
});
