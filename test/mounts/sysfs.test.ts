import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openMachine, sysfs } from '../../src/index.js';
import { because, noMounts, output, Place, sh } from './support.js';

describe.skipIf(noMounts !== '')(`the mounted attribute tree${because}`, () => {
  let place: Place;
  let at: string;
  beforeEach(() => {
    place = new Place();
    place.udax('create-region', '-s', '256M', '--sparse');
    place.udax('create-region', '-s', '256M', '--sparse', '--type', 'kmem');
    at = place.mountpoint();
    const { status, stderr } = place.udax('sysfs', at);
    expect([status, stderr]).toEqual([0, '']);
  });
  afterEach(() => place.close());

  const tree = () => sysfs(openMachine(place.root), { place: ({ id }) => `udax/region${id}` });

  it('has every name, mode and link target that the library has', () => {
    const ours = tree()
      .tree('', 20)
      .map(({ path, type, mode, target }) =>
        [path, type[0] === 'f' ? 'f' : type[0], (mode & 0o777).toString(8), target ?? ''].join(' ').trimEnd(),
      )
      .sort();
    const there = output(`cd '${at}' && find . -mindepth 1 -printf '%P %y %m %l\\n'`)
      .trimEnd()
      .split('\n')
      .map((line) => line.trimEnd())
      .sort();
    expect(there).toEqual(ours);
  });

  it('attributes read as the library reads them, and are 4096 bytes for stat', () => {
    for (const path of ['bus/dax/devices/dax0.0/size', 'devices/udax/region1/dax_region/available_size']) {
      expect(output(`cat '${at}/${path}'`)).toBe(tree().read(path));
      expect(output(`stat -L -c %s '${at}/${path}'`)).toBe('4096\n');
    }
  });

  it('a write does what it does in /sys: a device is made, sized, bound and seen by everybody', () => {
    const region = `${at}/devices/udax/region0`;
    output(`echo dax0.0 > '${at}/bus/dax/drivers/device_dax/unbind'`);
    output(`echo 0 > '${region}/dax0.0/size'`);
    output(`echo 1 > '${region}/dax_region/create'`);
    expect(output(`cat '${region}/dax_region/seed'`)).toBe('dax0.1\n');
    output(`printf 0x2000000 > '${region}/dax0.1/size'`);
    output(`echo dax0.1 > '${at}/bus/dax/drivers/fsdev_dax/new_id'`);
    expect(output(`basename "$(readlink '${region}/dax0.1/driver')"`)).toBe('fsdev_dax\n');
    expect(place.udax('status').stdout).toContain('dax0.1');
  });

  it('a refused write is the errno of the kernel, and changes nothing', () => {
    const device = `${at}/bus/dax/devices/dax0.0`;
    const cases: [string, string][] = [
      [`/bin/echo 4096 > '${device}/size'`, 'Invalid argument'],
      [`/bin/echo 0x400000 > '${device}/size'`, 'Device or resource busy'],
      [`/bin/echo dax9.9 > '${at}/bus/dax/drivers/device_dax/unbind'`, 'No such device'],
      [`echo x > '${device}/resource'`, 'Permission denied'],
      [`cat '${at}/bus/dax/drivers/kmem/new_id'`, 'Permission denied'],
      [`mkdir '${at}/bus/new'`, 'Operation not permitted'],
      [`rm '${device}/size'`, 'Operation not permitted'],
      [`echo x > '${at}/new'`, 'Permission denied'],
    ];
    for (const [command, message] of cases) {
      const { status, stderr } = sh(command);
      expect([command, status === 0, stderr]).toEqual([command, false, expect.stringContaining(message)]);
    }
    expect(output(`cat '${device}/size'`)).toBe(`${256 * 2 ** 20}\n`);
  });

  it('a region that another process makes is there at once', () => {
    place.udax('create-region', '-s', '64M', '--sparse');
    expect(output(`cat '${at}/bus/dax/devices/dax2.0/size'`)).toBe(`${64 * 2 ** 20}\n`);
  });

  it('an attribute that is gone under an open descriptor is ENODEV', () => {
    output(`echo dax0.0 > '${at}/bus/dax/drivers/device_dax/unbind'`);
    output(
      `echo 0 > '${at}/devices/udax/region0/dax0.0/size'; echo 1 > '${at}/devices/udax/region0/dax_region/create'`,
    );
    const { stderr } = sh(
      `exec 3< '${at}/devices/udax/region0/dax0.1/align'; echo dax0.1 > '${at}/devices/udax/region0/dax_region/delete'; cat <&3`,
    );
    expect(stderr).toContain('No such device');
  });
});
