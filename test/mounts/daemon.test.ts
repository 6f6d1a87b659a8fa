import fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DEAD_MOUNT } from '../support/dead-mount.js';

import { because, noMounts, output, Place, sh, until } from './support.js';

describe.skipIf(noMounts !== '')(`udax mount and umount${because}`, () => {
  let place: Place;
  beforeEach(() => {
    place = new Place();
    place.makeVolume('64MiB');
  });
  afterEach(() => place.close());

  const isRunning = (pid: number) => fs.existsSync(`/proc/${pid}`) && !isZombie(pid);
  const isZombie = (pid: number) => /^State:\s*Z/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));
  const records = () => fs.readdirSync(join(place.root, 'mounts'));

  it('mount serves in the background with its pid in the state, umount ends it and cleans up', async () => {
    const at = place.mount();
    const pid = place.daemonPid(at);
    expect(isRunning(pid)).toBe(true);
    expect(output(`stat -f -c %T '${at}'`)).toMatch(/^fuse/);
    const { status, stdout } = place.udax('umount', at);
    expect([status, stdout]).toEqual([0, `${at} is unmounted\n`]);
    await until('the daemon ends', () => !isRunning(pid));
    expect(records()).toEqual([]);
    expect(place.udax('holders').stdout).not.toContain('mount');
  });

  it('the daemon holds its device: nobody reconfigures it underneath', () => {
    place.mount();
    const { status, stderr } = place.udax('reconfigure-device', '-m', 'devdax', 'dax0.0');
    expect(status).toBe(1);
    expect(stderr).toContain('EBUSY');
  });

  it('what the daemon fails with is told by the command', () => {
    const at = place.mountpoint();
    const cases: [string[], RegExp][] = [
      [['mount', 'dax7.0', at], /dax7\.0.*\(ENODEV\)/s],
      [['mount', 'dax0.0', join(at, 'missing')], /\(ENOENT\)/],
      [['mount', join(place.root, 'machine.json'), at], /\(EINVAL\)/],
    ];
    for (const [args, message] of cases) {
      const { status, stderr } = place.udax(...args);
      expect([args[1], status]).toEqual([args[1], 1]);
      expect(stderr).toMatch(message);
    }
    expect(fs.readdirSync(join(place.root, 'mounts')).filter((name) => name.endsWith('.json'))).toEqual([]);
  });

  it('mounting where one of ours is mounted is EBUSY', () => {
    const at = place.mount();
    expect(place.udax('mount', 'dax0.0', at).stderr).toContain('EBUSY');
  });

  it('umount of a busy mount is EBUSY and changes nothing; with -f its users get errors, nobody hangs', async () => {
    place.volume().create('/f', { size: 4096 }).close();
    const at = place.mount();
    const user = place.start('timeout', ['60', 'sh', '-c', `exec 3< '${at}/f'; echo open; read go; cat <&3`]);
    let said = '';
    user.stdout!.on('data', (data) => {
      said += data;
    });
    await until('the file is open', () => said === 'open\n');
    const busy = place.udax('umount', at);
    expect([busy.status, /EBUSY/.test(busy.stderr)]).toEqual([1, true]);
    expect(output(`cat '${at}/f' | wc -c`)).toBe('4096\n');
    expect(place.udax('umount', '-f', at).status).toBe(0);
    const ended = new Promise((resolve) => user.once('close', resolve));
    user.stdin!.end('go\n');
    await ended;
    expect(sh(`ls '${at}'`).stdout).toBe('');
    expect(records()).toEqual([]);
  });

  it('a daemon killed -9 leaves a mount that fails at once; the next mount there works, and the state is clean', async () => {
    place.volume().create('/f', { size: 3 }).write(Buffer.from('abc'), 0);
    const at = place.mount();
    const pid = place.daemonPid(at);
    process.kill(pid, 'SIGKILL');
    await until('the daemon is gone', () => !isRunning(pid));
    const { status, stderr } = sh(`cat '${at}/f'`);
    expect(status).toBe(1);
    expect(stderr).toMatch(DEAD_MOUNT);
    const again = place.udax('mount', 'dax0.0', at);
    expect(again.status).toBe(0);
    expect(again.stderr).toMatch(/SIGKILL/);
    expect(output(`cat '${at}/f'`)).toBe('abc');
    expect(records().filter((name) => name.endsWith('.json'))).toHaveLength(1);
    expect(place.daemonPid(at)).not.toBe(pid);
  });

  it('umount removes the mount of a daemon that was killed, and what it was about to make is not there', async () => {
    const at = place.mount();
    const writer = place.start('timeout', [
      '60',
      'sh',
      '-c',
      `exec 3> '${at}/half'; echo half >&3; echo done; read go`,
    ]);
    let said = '';
    writer.stdout!.on('data', (data) => {
      said += data;
    });
    await until('half is written', () => said === 'done\n');
    const pid = place.daemonPid(at);
    process.kill(pid, 'SIGKILL');
    await until('the daemon is gone', () => !isRunning(pid));
    const { status, stdout } = place.udax('umount', at);
    expect(status).toBe(0);
    expect(stdout).toContain(`${at}: removed the mount of a daemon that was gone`);
    expect(stdout).toContain('SIGKILL');
    expect(sh(`ls '${at}'`)).toMatchObject({ status: 0, stdout: '' });
    const volume = place.volume();
    expect(volume.exists('/half')).toBe(false);
    const { size, free } = volume.statfs();
    expect(size - free).toBe(10 * 2 ** 20);
    expect(records()).toEqual([]);
  });

  it('a daemon killed -9 in the middle of cp -r leaves whole files or none', async () => {
    const source = join(place.directory, 'source');
    fs.mkdirSync(source);
    for (let i = 0; i < 25; i++) fs.writeFileSync(join(source, `f${i}`), Buffer.alloc(150_000 + i, i));
    const at = place.mount();
    const pid = place.daemonPid(at);
    const copy = place.start('timeout', ['30', 'cp', '-r', source, `${at}/copied`]);
    const ended = new Promise((resolve) => copy.once('exit', resolve));
    await until('some files are there', () => sh(`ls '${at}/copied' | wc -l`).stdout.trim() !== '0');
    process.kill(pid, 'SIGKILL');
    await ended;
    await until('the daemon is gone', () => !isRunning(pid));
    expect(place.udax('mount', 'dax0.0', at).status).toBe(0);
    expect(place.udax('fsck', 'dax0.0').status).toBe(0);
    for (const name of fs.readdirSync(`${at}/copied`))
      output(`cmp '${source}/${name}' '${at}/copied/${name}'`);
  });

  it('SIGTERM unmounts', async () => {
    const at = place.mount();
    const pid = place.daemonPid(at);
    process.kill(pid, 'SIGTERM');
    await until('the daemon ends', () => !isRunning(pid));
    expect(sh(`mountpoint -q '${at}'`).status).not.toBe(0);
    expect(records()).toEqual([]);
  });

  it('umount of what is no mount is an error that says so', () => {
    const { status, stderr } = place.udax('umount', place.mountpoint());
    expect([status, /EINVAL/.test(stderr)]).toEqual([1, true]);
  });
});
