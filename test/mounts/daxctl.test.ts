import fs from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { because, have, noMounts, Place, sh } from './support.js';

const missing =
  noMounts === '' && !have('daxctl') ? ' (skipped: daxctl is not installed: apt-get install daxctl)' : '';

/** The unmodified daxctl of the system (Debian 12: 76.1), through every subcommand it has. */
describe.skipIf(noMounts !== '' || missing !== '')(
  `the real daxctl on a udax machine${because}${missing}`,
  () => {
    let place: Place;
    const MIB = 2 ** 20;
    beforeEach(() => {
      place = new Place();
      place.udax('create-region', '-s', '512M', '--sparse');
    });
    afterEach(() => place.close());

    const shell = (...words: string[]) => place.udax('shell', '--', ...words);
    const daxctl = (...words: string[]) => shell('daxctl', ...words);
    const list = (...words: string[]) => JSON.parse(daxctl('list', ...words).stdout);
    const said = ({ status, stderr }: { status: number | null; stderr: string }) => [
      status,
      stderr.trim().split('\n').at(-1),
    ];

    // Incident: `udax list` named regions /platform/udax.0, where daxctl on the same machine found /udax/region0.
    it('lists regions, devices and mappings as `udax list` does, to the byte, in every state', () => {
      const lists = ['-R', '-D', '-DRM', '-DRMu', '-Di', '-DRi'];
      const same = () => {
        for (const words of lists) {
          const ours = place.udax('list', words);
          expect([words, ours.status]).toEqual([words, 0]);
          expect([words, daxctl('list', words).stdout]).toEqual([words, ours.stdout]);
        }
      };
      same();
      expect(list('-R')[0].path).toBe('/udax/region0');
      place.udax('create-region', '-s', '128M', '--sparse');
      place.udax('disable-device', 'dax1.0');
      same();
      place.udax('destroy-device', 'dax1.0');
      place.udax('create-device', '-r', '1', '-s', '64M');
      place.udax('reconfigure-device', '-m', 'system-ram', 'dax0.0');
      same();
    });

    it('disables and enables a device', () => {
      expect(said(daxctl('disable-device', 'dax0.0'))).toEqual([0, 'disabled 1 device']);
      expect(list('-i')).toMatchObject([{ chardev: 'dax0.0', mode: 'devdax', state: 'disabled' }]);
      expect(place.udax('list', '-i').stdout).toContain('disabled');
      expect(said(daxctl('enable-device', 'dax0.0'))).toEqual([0, 'enabled 1 device']);
      expect(list()).toMatchObject([{ chardev: 'dax0.0', mode: 'devdax', size: 512 * MIB }]);
    });

    it('destroys and creates devices, whose nodes come and go with them', () => {
      daxctl('disable-device', 'dax0.0');
      // Instance 0 stays at size 0, as on a real kernel. daxctl 76 calls that a failure.
      expect(said(daxctl('destroy-device', 'dax0.0'))).toEqual([240, 'destroyed 0 devices']);
      const created = daxctl('create-device', '-r', 'region0', '-s', '128M', '-a', '4k');
      expect(said(created)).toEqual([0, 'created 1 device']);
      expect(JSON.parse(created.stdout)).toEqual([
        { chardev: 'dax0.1', size: 128 * MIB, target_node: 1, align: 4096, mode: 'devdax' },
      ]);
      expect(shell('stat', '-c', '%F', '/dev/dax0.1').stdout).toBe('character special file\n');
      expect(said(daxctl('disable-device', 'dax0.1'))).toEqual([0, 'disabled 1 device']);
      expect(said(daxctl('destroy-device', 'dax0.1'))).toEqual([0, 'destroyed 1 device']);
      expect(shell('stat', '/dev/dax0.1').status).toBe(1);
      expect(place.udax('list', '-R').stdout).toContain(`"available_size":${512 * MIB}`);
    });

    it('a create and a destroy in one namespace keep the nodes up to date', () => {
      const script = `daxctl disable-device dax0.0; daxctl destroy-device dax0.0; daxctl create-device -s 64M >/dev/null &&
      ls /dev/dax* && daxctl disable-device dax0.1 && daxctl destroy-device dax0.1 && ls /dev/dax*`;
      expect(shell('sh', '-c', script).stdout).toBe('/dev/dax0.0\n/dev/dax0.1\n/dev/dax0.0\n');
    });

    it('reconfigures to system-ram and back, with memory blocks going online and offline', () => {
      expect(said(daxctl('reconfigure-device', '-m', 'system-ram', '-N', 'dax0.0'))).toEqual([
        0,
        'reconfigured 1 device',
      ]);
      expect(list()).toMatchObject([{ mode: 'system-ram', online_memblocks: 0, total_memblocks: 4 }]);
      expect(said(daxctl('online-memory', 'dax0.0'))).toEqual([0, 'onlined memory for 1 device']);
      expect(list()).toMatchObject([{ online_memblocks: 4, total_memblocks: 4, movable: true }]);
      expect(place.udax('status').stdout).toMatch(/system-ram/);
      expect(daxctl('reconfigure-device', '-m', 'devdax', 'dax0.0').status).toBe(240);
      expect(said(daxctl('offline-memory', 'dax0.0'))).toEqual([0, 'offlined memory for 1 device']);
      expect(said(daxctl('reconfigure-device', '-m', 'devdax', 'dax0.0'))).toEqual([
        0,
        'reconfigured 1 device',
      ]);
      expect(list()).toMatchObject([{ mode: 'devdax' }]);
      expect(said(daxctl('reconfigure-device', '-m', 'system-ram', 'dax0.0'))).toEqual([
        0,
        'reconfigured 1 device',
      ]);
      expect(said(daxctl('reconfigure-device', '-f', '-m', 'devdax', 'dax0.0'))).toEqual([
        0,
        'reconfigured 1 device',
      ]);
    });

    it('famfs mode is listed as devdax and cannot be asked for, as version 76 has it', () => {
      place.udax('reconfigure-device', '-m', 'famfs', 'dax0.0');
      expect(list()).toMatchObject([{ chardev: 'dax0.0', mode: 'devdax' }]);
      expect(daxctl('reconfigure-device', '-m', 'famfs', 'dax0.0').status).toBe(234);
    });

    it('has no subcommand that is not tried here', () => {
      const tried =
        'create-device destroy-device disable-device enable-device help list migrate-device-model';
      const more = 'offline-memory online-memory reconfigure-device split-acpi version';
      expect(daxctl('--list-cmds').stdout.trim().split('\n').sort().join(' ')).toBe(`${tried} ${more}`);
    });

    it('version, help and split-acpi, which need no machine, answer as outside', () => {
      for (const words of ['--version', 'version', 'help', 'split-acpi -d /nowhere', 'frobnicate']) {
        const { status, stdout, stderr } = sh(`daxctl ${words}`);
        expect([words, daxctl(...words.split(' '))]).toEqual([words, { status, stdout, stderr }]);
      }
    });

    it('migrate-device-model changes nothing of the machine', () => {
      const before = place.udax('list', '-DRM').stdout;
      // The command makes a link in /etc/modprobe.d, which is the host's. So an empty one is mounted over it.
      const script =
        'mount -t tmpfs none /etc/modprobe.d && daxctl migrate-device-model; echo $?; ls /etc/modprobe.d';
      expect(shell('sh', '-c', script).stdout).toMatch(/0\ndaxctl.conf\n$/);
      expect(place.udax('list', '-DRM').stdout).toBe(before);
    });

    it('sees a device that another process holds as busy', () => {
      place.udax('reconfigure-device', '-m', 'famfs', 'dax0.0');
      place.udax('mkfs', 'dax0.0');
      place.volume();
      expect(daxctl('disable-device', 'dax0.0').status).not.toBe(0);
      expect(place.udax('status').stdout).toContain('famfs');
    });
  },
);

describe.skipIf(noMounts !== '')(`udax shell${because}`, () => {
  let place: Place;
  beforeEach(() => {
    place = new Place();
    place.udax('create-region', '-s', '64M', '--sparse');
  });
  afterEach(() => place.close());

  it('gives the exit status of its command, and leaves nothing behind', async () => {
    const nodes = () => fs.readdirSync('/dev');
    const shells = (): string[] =>
      fs.readFileSync('/proc/self/mountinfo', 'utf8').match(/udax-shell-\w+/g) ?? [];
    const [nodesBefore, shellsBefore] = [nodes(), shells()];
    expect(place.udax('shell', '--', 'sh', '-c', 'exit 7').status).toBe(7);
    expect(place.udax('shell', '--', 'sh', '-c', 'kill -9 $$').status).toBe(137);
    expect(place.udax('shell', '--', '/no/such/program').status).toBe(127);
    // Shells of other tests come and go meanwhile; one of this test would stay.
    await expect.poll(() => nodes().filter((name) => !nodesBefore.includes(name))).toEqual([]);
    await expect.poll(() => shells().filter((name) => !shellsBefore.includes(name))).toEqual([]);
    expect(fs.existsSync('/sys/devices/udax')).toBe(false);
  });

  it('keeps the rest of /sys and /dev usable, and nobody reaches a real driver through our nodes', () => {
    const script =
      'ls /sys/class /sys/devices/system/cpu >/dev/null && echo x >/dev/null && head -c1 /dev/urandom | wc -c; cat /dev/dax0.0';
    const { stdout, stderr } = place.udax('shell', '--', 'sh', '-c', script);
    expect(stdout).toBe('1\n');
    expect(stderr).toContain('Permission denied');
  });
});
