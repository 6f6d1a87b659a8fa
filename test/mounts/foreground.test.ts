import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { because, binary, noMounts, output, Place, sh, until } from './support.js';

describe.skipIf(noMounts !== '')(`udax mount -f${because}`, () => {
  let place: Place;
  let at: string;
  const started: ChildProcess[] = [];
  beforeEach(() => {
    place = new Place();
    place.makeVolume('64MiB');
    at = place.mountpoint();
  });
  afterEach(() => {
    for (const child of started.splice(0)) child.kill('SIGKILL');
    place.close();
  });

  const isMounted = () => sh(`mountpoint -q '${at}'`).status === 0;
  const records = () => fs.readdirSync(path.join(place.root, 'mounts'));

  /** Serves in the foreground. `ended` resolves to the exit status or signal, and the output. */
  async function serve(...options: string[]) {
    const words = [binary, '--root', place.root, 'mount', '-f', ...options, 'dax0.0', at];
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'pipe'] });
    started.push(child);
    let said = '';
    child.stderr!.on('data', (data) => {
      said += data;
    });
    const ended = new Promise<string>((resolve) =>
      child.once('exit', (code, signal) => resolve(`${signal ?? code}`)),
    );
    await until('it serves', () => said.includes('Ctrl-C'));
    return { child, ended, said: () => said };
  }

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s unmounts, exit 0', async (signal) => {
    const { child, ended } = await serve();
    expect([isMounted(), records().length]).toEqual([true, 1]);
    child.kill(signal);
    expect(await ended).toBe('0');
    expect([isMounted(), records()]).toEqual([false, []]);
  });

  it('a signal that comes twice at once, as from timeout(1), unmounts too', async () => {
    const { child, ended } = await serve();
    child.kill('SIGINT');
    await new Promise((resolve) => setTimeout(resolve, 2));
    child.kill('SIGINT');
    expect(await ended).toBe('0');
    expect([isMounted(), records()]).toEqual([false, []]);
  });

  it('goes on when nobody reads what it says', async () => {
    const { child, ended } = await serve('--wirelog');
    child.stderr!.destroy();
    output(`ls '${at}'; ls -l '${at}'; mkdir '${at}/d'; df '${at}'`);
    expect(output(`ls '${at}'`)).toBe('d\n');
    child.kill('SIGTERM');
    expect(await ended).toBe('0');
    expect([isMounted(), records()]).toEqual([false, []]);
  });

  it('--wirelog shows requests and answers with their names and flags', async () => {
    place.volume().create('/f', { size: 5 }).write(Buffer.from('12345'), 0);
    const { child, ended, said } = await serve('--wirelog');
    output(`cat '${at}/f'`);
    child.kill('SIGTERM');
    await ended;
    expect(said()).toMatch(/^-> #\d+ LOOKUP node=1 uid=0 .*"f"$/m);
    expect(said()).toMatch(/^<- #\d+ OPEN .*\[DIRECT_IO/m);
    expect(said()).toMatch(/^<- #\d+ READ 5 bytes$/m);
  });

  it('umount from elsewhere ends it', async () => {
    const { ended } = await serve();
    expect(place.udax('umount', at).status).toBe(0);
    expect(await ended).toBe('0');
    expect(records()).toEqual([]);
  });
});

describe.skipIf(noMounts !== '')(`the mount of udax up${because}`, () => {
  it('can be unmounted, and udax up goes on', async () => {
    const place = new Place();
    const words = ['60', process.execPath, binary, '--root', place.root, 'up', '-s', '64M'];
    const up = place.start('timeout', words);
    try {
      const at = path.join(place.root, 'mnt');
      await until('it stays until Ctrl-C', () => sh(`mountpoint -q '${at}' && ls '${at}'`).stdout !== '');
      expect(place.udax('umount', at)).toMatchObject({ status: 0, stdout: `${at} is unmounted\n` });
      expect(fs.readdirSync(path.join(place.root, 'mounts'))).toEqual([]);
      expect(up.exitCode).toBe(null);
    } finally {
      const ended = new Promise((resolve) => up.once('exit', resolve));
      up.kill('SIGINT');
      await ended;
      place.close();
    }
  });
});

describe.skipIf(noMounts !== '')(`what udax mount mounts on${because}`, () => {
  let place: Place;
  beforeEach(() => {
    place = new Place();
    place.makeVolume('64MiB');
  });
  afterEach(() => place.close());

  it('a symbolic link to a directory, with or without a slash', () => {
    const at = place.mountpoint();
    const link = path.join(place.directory, 'link');
    fs.symlinkSync(path.basename(at), link);
    expect(place.udax('mount', 'dax0.0', `${link}/`).stdout).toContain(`dax0.0 is at ${at} (pid `);
    expect(place.udax('mount', 'dax0.0', at).stderr).toContain('EBUSY');
    expect(place.udax('umount', link).stdout).toBe(`${at} is unmounted\n`);
    expect(sh(`mountpoint -q '${at}'`).status).not.toBe(0);
  });

  it('a directory that is not empty, whose names come back', () => {
    const at = place.mountpoint();
    fs.writeFileSync(path.join(at, 'below'), 'x');
    place.udax('mount', 'dax0.0', at);
    expect(output(`ls '${at}'`)).toBe('');
    place.udax('umount', at);
    expect(output(`ls '${at}'`)).toBe('below\n');
  });

  it('names with blanks, commas, backslashes and tabs, of image files too', () => {
    const image = path.join(place.directory, 'i m,a\\ge');
    const at = path.join(place.mountpoint(), 'a b,c\\d\te');
    fs.mkdirSync(at);
    output(`truncate -s 64M '${image}'`);
    place.udax('mkfs', image);
    expect(place.udax('mount', image, at)).toMatchObject({ status: 0, stderr: '' });
    output(`echo hi > '${at}/f'`);
    expect(place.udax('umount', at)).toMatchObject({ status: 0, stderr: '' });
    expect(place.udax('cat', `${image}:/f`).stdout).toBe('hi\n');
    fs.rmdirSync(at);
  });

  it('one volume on two directories: what is made in one is in the other', async () => {
    const [one, two] = [place.mount(), place.mount()];
    expect(sh(`cat '${two}/f'; ls '${two}'`).stdout).toBe('');
    output(`echo hello > '${one}/f'; mkdir '${two}/d'`);
    expect(output(`cat '${two}/f'; ls '${one}'`)).toBe('hello\nd\nf\n');
    output(`printf J | dd of='${two}/f' conv=notrunc 2>/dev/null`);
    expect(output(`cat '${one}/f'`)).toBe('Jello\n');
  });

  it('what cannot be is told with the next step, and leaves nothing in the state directory', () => {
    const file = path.join(place.directory, 'file');
    fs.writeFileSync(file, 'x');
    const cases: [string[], RegExp][] = [
      [['mount', 'dax0.0', '/no/such'], /no directory \/no\/such .*mkdir.*\(ENOENT\)/],
      [['mount', 'dax0.0', file], /file is not a directory.*\(ENOTDIR\)/],
      [['mount', file, place.mountpoint()], /not a famfs.*\(EINVAL\)\nTry: udax .* mkfs /],
      [['umount', place.directory], new RegExp(`${place.directory} is not mounted.*\\(EINVAL\\)`)],
      [['mount', '--wirelog', 'dax0.0', '/mnt'], /needs -f/],
    ];
    for (const [args, message] of cases) expect(place.udax(...args).stderr).toMatch(message);
    expect(
      fs.existsSync(path.join(place.root, 'mounts')) ? fs.readdirSync(path.join(place.root, 'mounts')) : [],
    ).toEqual([]);
  });
});
