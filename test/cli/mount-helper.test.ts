import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { mountWords } from '../../src/cli/mount-helper.js';
import { noMounts } from '../mounts/support.js';
import { binary, udax } from './support/udax.js';

describe('mount.udax: the words of mount(8)', () => {
  it.each([
    ['dax0.0 /mnt', 'mount -- dax0.0 /mnt'],
    ['dax0.0 /mnt -o rw', 'mount -- dax0.0 /mnt'],
    [
      'dax0.0 /mnt -o ro,allow_other,settle=0.5,root=/var/lib/udax,x-systemd.automount,_netdev,nofail',
      '--root /var/lib/udax mount --read-only --allow-other --settle 0.5 -- dax0.0 /mnt',
    ],
    [
      '/dev/dax0.0 /mnt -v -o kernel,set_mode -o zero_copy=always -t udax',
      '--kernel --set-mode mount --zero-copy always -- /dev/dax0.0 /mnt',
    ],
    [
      '-n dax0.0 /mnt -s -o whatever,role=client,client_writes',
      '--role client mount --client-writes -- dax0.0 /mnt',
    ],
    [
      'dax0.0 /mnt -o metrics=127.0.0.1:9465,log_format=json',
      'mount --metrics 127.0.0.1:9465 --log-format json -- dax0.0 /mnt',
    ],
    ['-- -o /mnt', null],
  ])('%s', (line, words) => {
    const given = mountWords(line.split(' '));
    expect('words' in given ? given.words.join(' ') : null).toBe(words);
  });

  it('what it does not know is told, not passed by', () => {
    expect(mountWords(['dax0.0', '/mnt', '-o', 'settel=1'])).toEqual({
      usage: expect.stringContaining('settel=1 is no mount option of udax: it has ro, allow_other'),
    });
    expect(mountWords(['dax0.0', '/mnt', '-o', 'settle'])).toEqual({
      usage: expect.stringContaining('settle is no'),
    });
    expect(mountWords(['dax0.0'])).toEqual({
      usage: expect.stringContaining('usage: mount.udax DEVICE DIRECTORY'),
    });
    expect(mountWords(['dax0.0', '/mnt', '-o'])).toEqual({ usage: '-o needs a value' });
    expect(mountWords(['dax0.0', '/mnt', '-N', '/proc/1/ns/mnt'])).toEqual({
      usage: expect.stringContaining('nsenter'),
    });
    expect(mountWords(['-f', 'dax0.0', '/mnt'])).toEqual({ isFake: true });
  });
});

describe.skipIf(noMounts !== '' || process.geteuid!() !== 0)(`mount -t udax${noMounts}`, () => {
  it('mount(8) mounts a volume through it, read-only, and umount takes it down', () => {
    const directory = fs.mkdtempSync('/tmp/udax-mount8-');
    const root = path.join(directory, 'root');
    const at = path.join(directory, 'mnt');
    const type = `udaxtest${process.pid}`;
    const helper = `/sbin/mount.${type}`;
    fs.mkdirSync(at);
    try {
      for (const words of [
        ['create-region', '-s', '64M'],
        ['reconfigure-device', '-m', 'famfs', 'dax0.0'],
        ['mkfs', 'dax0.0'],
        ['creat', '-s', '4096', 'dax0.0:/file'],
      ])
        expect(udax(root, ...words)).toMatchObject({ status: 0 });
      fs.symlinkSync(path.join(path.dirname(binary), 'mount.udax.js'), helper);
      const mount = (options: string) =>
        spawnSync('mount', ['-t', type, '-o', options, 'dax0.0', at], { encoding: 'utf8' });
      expect(mount(`root=${root},readonly`)).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('readonly is no mount option'),
      });
      expect(mount(`root=${root},ro,nofail`)).toMatchObject({ status: 0 });
      expect(fs.readdirSync(at)).toEqual(['file']);
      expect(() => fs.writeFileSync(path.join(at, 'new'), 'x')).toThrow(/EROFS/);
      const all = JSON.parse(udax(root, '--json', 'mounts').stdout) as { mountpoint: string }[];
      expect(all.find(({ mountpoint }) => mountpoint === at)).toEqual({
        mountpoint: at,
        kind: 'famfs',
        what: 'dax0.0',
        pid: expect.any(Number),
        state: 'served',
      });
      expect(mount(`root=${root}`)).toMatchObject({ status: 32, stderr: expect.stringContaining('EBUSY') });
      expect(spawnSync('umount', [at]).status).toBe(0);
    } finally {
      spawnSync('umount', ['-l', at], { stdio: 'ignore' });
      fs.rmSync(helper, { force: true });
      fs.rmSync(directory, { recursive: true, force: true });
    }
  });

  it('udax mounts tells a mount whose server was killed, and how it ended', () => {
    const directory = fs.mkdtempSync('/tmp/udax-mounts-dead-');
    const root = path.join(directory, 'root');
    const at = path.join(directory, 'mnt');
    fs.mkdirSync(at);
    try {
      for (const words of [
        ['create-region', '-s', '64M'],
        ['reconfigure-device', '-m', 'famfs', 'dax0.0'],
        ['mkfs', 'dax0.0'],
        ['mount', 'dax0.0', at],
      ])
        expect(udax(root, ...words)).toMatchObject({ status: 0 });
      const mine = () =>
        (
          JSON.parse(udax(root, '--json', 'mounts').stdout) as {
            mountpoint: string;
            pid: number;
            state: string;
          }[]
        ).find((one) => one.mountpoint === at)!;
      process.kill(mine().pid, 'SIGKILL');
      while (mine().state === 'served');
      expect(mine()).toMatchObject({ state: 'dead', pid: null, what: 'dax0.0' });
      expect(udax(root, 'mounts').stdout).toMatch(new RegExp(`${at} +dax0.0 +dead`));
      expect(udax(root, 'umount', at)).toMatchObject({ status: 0 });
      expect(mine()).toBeUndefined();
    } finally {
      spawnSync('umount', ['-l', at], { stdio: 'ignore' });
      fs.rmSync(directory, { recursive: true, force: true });
    }
  });
});
