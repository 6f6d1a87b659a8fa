import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { openBacking, PhysicalMemory } from '../../src/memory/index.js';
import { closedAfterwards, errorOf, HPA, MiB, temporaryDirectory } from './support.js';

/**
 * There is no dax device here. /dev/zero is also a character device that maps shared memory, and a recorded sysfs tree says that
 * its number is a dax device. This cannot show that two mappings see the same bytes.
 */
const ZERO_DEVICE = '1:5';

function sysfsWith({
  size = '0x4000000',
  align = '2097152',
  subsystem = 'bus/dax',
  parent = 'platform/hmem.0',
} = {}): string {
  const root = temporaryDirectory();
  const device = path.join(root, 'devices', parent, 'dax0.0');
  fs.mkdirSync(device, { recursive: true });
  fs.mkdirSync(path.join(root, 'dev/char'), { recursive: true });
  fs.mkdirSync(path.join(root, subsystem), { recursive: true });
  fs.writeFileSync(path.join(device, 'size'), `${size}\n`);
  fs.writeFileSync(path.join(device, 'align'), `${align}\n`);
  fs.symlinkSync(path.join(root, subsystem), path.join(device, 'subsystem'));
  fs.symlinkSync(device, path.join(root, 'dev/char', ZERO_DEVICE));
  return root;
}

describe('a dax device', () => {
  it('has the size and align that sysfs tells, and maps shared only', () => {
    const backing = closedAfterwards(openBacking('/dev/zero', { sysfs: sysfsWith() }));
    expect(backing).toMatchObject({
      kind: 'devdax',
      size: 64 * MiB,
      granule: 2 * MiB,
      sharedOnly: true,
      coherent: true,
      persistent: false,
      identity: `rdev:${ZERO_DEVICE}`,
    });
  });

  it('is persistent behind an NVDIMM region', () => {
    const sysfs = sysfsWith({ parent: 'LNXSYSTM:00/ACPI0012:00/ndbus0/region0/dax0.1' });
    expect(closedAfterwards(openBacking('/dev/zero', { sysfs })).persistent).toBe(true);
  });

  it('is refused when its subsystem is another', () => {
    expect(
      errorOf(() => openBacking('/dev/zero', { sysfs: sysfsWith({ subsystem: 'class/mem' }) })).code,
    ).toBe('ENODEV');
  });

  it('is refused with the attribute named when sysfs says nonsense', () => {
    const error = errorOf(() => openBacking('/dev/zero', { sysfs: sysfsWith({ size: 'lots' }) }));
    expect(error).toMatchObject({ code: 'EIO', message: expect.stringMatching(/size.*'lots'/) });
  });

  it('notices that it was resized', () => {
    const sysfs = sysfsWith();
    const backing = closedAfterwards(openBacking('/dev/zero', { sysfs }));
    backing.checkRange(0, 64 * MiB);
    fs.writeFileSync(path.join(sysfs, 'devices/platform/hmem.0/dax0.0/size'), '2097152\n');
    expect(errorOf(() => backing.checkRange(0, 64 * MiB)).code).toBe('EIO');
  });

  it('turns a private mapping into a protected one, and maps whole granules around the bytes asked for', () => {
    const backing = closedAfterwards(openBacking('/dev/zero', { sysfs: sysfsWith() }));
    const memory = closedAfterwards(new PhysicalMemory());
    memory.insert({ start: HPA, length: backing.size, backing, offset: 0 });
    const mapping = memory.map([{ start: HPA + 4096 + 10, length: 5000 }], { access: 'private' });
    expect(mapping.access).toBe('protected');
    expect(mapping.buffer.byteLength).toBe(5000);
    expect((mapping.address - 4096 - 10) % 4096).toBe(0);
    expect(permissionsAt(mapping.address)).toBe('r--s');
    mapping.close();
  });

  it('cannot be zeroed or synced beyond its end', () => {
    const backing = closedAfterwards(openBacking('/dev/zero', { sysfs: sysfsWith() }));
    expect(errorOf(() => backing.zero(63 * MiB, 2 * MiB)).code).toBe('EIO');
    backing.zero(4096, 3 * MiB);
  });

  it.skipIf(!hasLibpmem())(
    'flushes through one mapping of the whole device, which ends with it (skipped without libpmem)',
    () => {
      const backing = openBacking('/dev/zero', { sysfs: sysfsWith({ parent: 'ndbus0' }) });
      const before = mappingsOf('/dev/zero');
      backing.sync(4096, 64);
      backing.sync(40 * MiB, 2 * MiB);
      expect(mappingsOf('/dev/zero')).toBe(before + 1);
      expect(errorOf(() => backing.sync(63 * MiB, 2 * MiB)).code).toBe('EIO');
      backing.close();
      expect(mappingsOf('/dev/zero')).toBe(before);
      expect(errorOf(() => backing.sync(0, 64)).code).toBe('EBADF');
    },
  );

  it.skipIf(hasLibpmem())(
    'says what to install when persistent memory cannot be flushed (libpmem is here)',
    () => {
      const backing = closedAfterwards(openBacking('/dev/zero', { sysfs: sysfsWith({ parent: 'ndbus0' }) }));
      expect(errorOf(() => backing.sync(0, 4096))).toMatchObject({
        code: 'EOPNOTSUPP',
        message: expect.stringContaining('libpmem'),
      });
    },
  );
});

function permissionsAt(address: number): string | undefined {
  const lines = fs.readFileSync('/proc/self/maps', 'latin1').split('\n');
  for (const line of lines) {
    const match = /^([0-9a-f]+)-([0-9a-f]+) (\S+)/.exec(line);
    if (match && Number.parseInt(match[1]!, 16) <= address && address < Number.parseInt(match[2]!, 16))
      return match[3];
  }
  return undefined;
}

function mappingsOf(name: string): number {
  const lines = fs.readFileSync('/proc/self/maps', 'latin1').split('\n');
  return lines.filter((line) => line.includes(` ${name}`)).length;
}

function hasLibpmem(): boolean {
  return ['/usr/lib/x86_64-linux-gnu', '/usr/lib64', '/usr/lib', '/usr/lib/aarch64-linux-gnu'].some(
    (directory) => fs.existsSync(path.join(directory, 'libpmem.so.1')),
  );
}
