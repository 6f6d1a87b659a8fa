import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DEAD_MOUNT } from '../support/dead-mount.js';

import { NOBODY, noPlainUser, PlainUser } from './plain-user-support.js';
import { until } from './support.js';

const missing = noPlainUser();
const because = missing === '' ? '' : ` (skipped: ${missing})`;

describe.skipIf(missing !== '')(`mounts of a plain user, by fusermount3${because}`, () => {
  let user: PlainUser;
  beforeEach(async () => {
    user = await PlainUser.enter();
    user.output(
      'mkdir m && udax create-region -s 64M --sparse && udax reconfigure-device -m famfs dax0.0 && udax mkfs dax0.0',
    );
  });
  afterEach(() => user.close());

  const records = () => fs.readdirSync(path.join(user.home, '.local/state/udax/mounts'));
  const daemonPid = () => {
    const [record] = records().filter((name) => name.endsWith('.json'));
    return JSON.parse(fs.readFileSync(path.join(user.home, '.local/state/udax/mounts', record!), 'utf8'))
      .pid as number;
  };
  const isRunning = (pid: number) =>
    fs.existsSync(`/proc/${pid}`) && !/^State:\s*Z/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));

  it('mount, ls, cat, cp, umount: with a state directory of his own', () => {
    user.output('echo hello > h && udax cp h dax0.0:/h');
    expect(user.output('udax mount --settle 0 dax0.0 m')).toContain(`dax0.0 is at ${user.home}/m (pid `);
    expect(user.output('ls m; cat m/h')).toBe('h\nhello\n');
    // The root has no log entry. It belongs to the user who mounts, who can therefore make things in it.
    expect(user.output('stat -c "%u %g %a" m')).toBe(`${NOBODY} ${NOBODY} 755\n`);
    expect(user.output('cp -r /etc/fuse.conf m/copy && mkdir -p m/d/e && cmp /etc/fuse.conf m/copy')).toBe(
      '',
    );
    expect(user.output('udax ls -R dax0.0:/ | tr -s "\\n " " "')).toContain('copy');
    expect(user.output('grep " $HOME/m " /proc/mounts')).toMatch(/nosuid,nodev.*user_id=65534/);
    const { mode, uid } = fs.statSync(path.join(user.home, '.local/state/udax'));
    expect([mode & 0o777, uid]).toEqual([0o700, NOBODY]);
    expect(user.output('udax umount m')).toBe(`${user.home}/m is unmounted\n`);
    expect(user.output('ls m')).toBe('');
    expect(records()).toEqual([]);
  });

  it('a daemon killed -9 leaves a mount that fails at once, and umount cleans up', async () => {
    user.output('udax mount dax0.0 m');
    const pid = daemonPid();
    process.kill(pid, 'SIGKILL');
    await until('the daemon is gone', () => !isRunning(pid));
    expect(user.sh('ls m').stderr).toMatch(DEAD_MOUNT);
    expect(user.output('udax umount m')).toContain(
      `${user.home}/m: removed the mount of a daemon that was gone`,
    );
    expect(user.output('ls m')).toBe('');
    expect(records()).toEqual([]);
    user.output('udax mount dax0.0 m && udax umount m');
  });

  it('umount of a busy mount is refused; with -f the daemon ends and its users get errors', async () => {
    user.output('echo hello > h && udax cp h dax0.0:/h && udax mount dax0.0 m');
    const pid = daemonPid();
    const { stdout, stderr } = user.sh(
      'exec 3< m/h; udax umount m; echo $?; cat m/h; udax umount -f m; echo $?; cat <&3; echo $?',
    );
    expect(stdout).toBe(`1\nhello\n${user.home}/m is unmounted\n0\n1\n`);
    expect(stderr).toMatch(new RegExp(`\\(EBUSY\\)[\\s\\S]*(?:${DEAD_MOUNT.source})`));
    await until('the daemon is gone', () => !isRunning(pid));
    expect(records()).toEqual([]);
  });

  it('--allow-other needs user_allow_other, and says so', () => {
    user.output('echo hello > h && udax cp h dax0.0:/h');
    const { status, stderr } = user.sh('udax mount --allow-other dax0.0 m');
    expect(status).toBe(1);
    expect(stderr).toContain('put user_allow_other into /etc/fuse.conf');
    expect(records()).toEqual([]);
    user.output('udax mount dax0.0 m');
    expect(user.otherSh('cat m/h').stderr).toContain('Permission denied');
    user.output('udax umount m');
    user.allowOther();
    user.output('udax mount --allow-other dax0.0 m');
    expect(user.otherSh('cat m/h').stdout).toBe('hello\n');
    expect(user.otherSh('echo x > m/other').stderr).toContain('Permission denied');
  });

  it('doctor says whether he can mount', () => {
    expect(user.output('udax doctor')).toMatch(/^FUSE +ok +.*\/fusermount3$/m);
    expect(user.output('PATH=/nowhere udax doctor')).toMatch(/^FUSE +limited .*no fusermount3$/m);
    user.asRoot('chmod 600 /dev/fuse');
    expect(user.output('udax doctor')).toMatch(/^FUSE +limited .*no permission$/m);
  });

  it('what is in the way is told, with what to do', () => {
    expect(user.sh('udax mount dax0.0 /etc').stderr).toContain('no write access to mountpoint /etc');
    expect(user.sh('udax mount dax0.0 mm').stderr).toContain('mkdir');
    user.asRoot('chmod 600 /dev/fuse');
    const { status, stderr } = user.sh('udax mount dax0.0 m');
    expect([status, /chmod 666 \/dev\/fuse.*\(EACCES\)/.test(stderr)]).toEqual([1, true]);
    expect(records()).toEqual([]);
  });

  it('sysfs: the machine is his, so its attributes are, to read and to write', () => {
    user.output('udax sysfs m');
    expect(user.output('cat m/bus/dax/devices/dax0.0/size')).toBe(`${64 * 2 ** 20}\n`);
    user.output('echo dax0.0 > m/bus/dax/drivers/fsdev_dax/unbind');
    expect(user.output('udax list -i')).toContain('"state":"disabled"');
    user.output('udax umount m');
  });
});
