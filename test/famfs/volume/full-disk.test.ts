import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deviceMedia, formatMedia, mountFamfsOn, type Volume } from '../../../src/famfs/index.js';
import { punchHole } from '../../../src/libc/index.js';
import { type Machine, MIB, machineOver, PAGE, pattern, THIS_HOST } from './support.js';

const coded = (code: string) => expect.objectContaining({ code });
const whyNot = process.getuid?.() === 0 ? '' : ' (skipped: mounting a small tmpfs needs root)';

/** A 64 MiB image with holes on a file system of 24 MiB, where a store without a check would be a fatal SIGBUS. */
describe.skipIf(whyNot !== '')(`a sparse image on a full file system${whyNot}`, () => {
  const directory = path.join(os.tmpdir(), `udax-full-${process.pid}`);
  let machine: Machine;
  let volume: Volume;
  beforeEach(() => {
    fs.mkdirSync(directory);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24M', 'tmpfs', directory]);
    const image = path.join(directory, 'image');
    fs.writeFileSync(image, '');
    fs.truncateSync(image, 64 * MIB);
    machine = machineOver(image);
    formatMedia(deviceMedia(machine), { systemUuid: THIS_HOST });
    volume = mountFamfsOn(machine);
  });
  afterEach(() => {
    volume.close();
    machine.close();
    execFileSync('umount', [directory]);
    fs.rmdirSync(directory);
  });

  /** Leaves no byte free. */
  function fill(): string {
    const filler = path.join(directory, 'filler');
    expect(() => fs.writeFileSync(filler, new Uint8Array(25 * MIB))).toThrow(coded('ENOSPC'));
    return filler;
  }

  it('create is ENOSPC and leaves nothing; a smaller file still fits', () => {
    const before = volume.statfs();
    expect(() => volume.create('/a', { size: 40 * MIB })).toThrow(coded('ENOSPC'));
    expect(volume.statfs()).toEqual(before);
    volume
      .create('/b', { size: 4 * MIB })
      .map({ writable: true })
      .fill(1);
  });

  it('writeFile of bytes and of a stream is ENOSPC and leaves nothing', async () => {
    const before = volume.statfs();
    await expect(volume.writeFile('/a', pattern(40 * MIB))).rejects.toEqual(coded('ENOSPC'));
    const pieces = Array.from({ length: 40 }, () => pattern(MIB));
    await expect(volume.writeFile('/a', pieces)).rejects.toEqual(coded('ENOSPC'));
    expect(volume.statfs()).toEqual(before);
    expect(volume.exists('/a')).toBe(false);
  });

  it('copyIn is ENOSPC and leaves nothing', async () => {
    const source = path.join(os.tmpdir(), `udax-full-source-${process.pid}`);
    fs.writeFileSync(source, pattern(40 * MIB));
    const before = volume.statfs();
    await expect(volume.copyIn(source, '/a')).rejects.toEqual(coded('ENOSPC'));
    expect(volume.statfs()).toEqual(before);
    fs.rmSync(source);
  });

  it('a file with holes can neither be mapped, read nor written: ENOSPC, where a touch would be SIGBUS', () => {
    const file = volume.create('/a', { size: 40 * MIB, zero: false });
    const filler = fill();
    const buffer = new Uint8Array(PAGE);
    const uses = [
      () => file.map(),
      () => file.map({ writable: true }),
      () => file.read(buffer, 0),
      () => file.write(buffer, 0),
    ];
    for (const use of uses) expect(use).toThrow(coded('ENOSPC'));
    fs.rmSync(filler);
    expect(file.read(buffer, 0)).toBe(PAGE);
    expect(file.map({ length: PAGE })[7]).toBe(0);
  });

  it('so for one who may only read the image', () => {
    volume.create('/a', { size: 40 * MIB, zero: false });
    const reader = machineOver(path.join(directory, 'image'), { writable: false });
    const seen = mountFamfsOn(reader, { readOnly: true });
    const file = seen.open('/a');
    const filler = fill();
    expect(() => file.map()).toThrow(coded('ENOSPC'));
    fs.rmSync(filler);
    expect(file.map({ length: PAGE })[7]).toBe(0);
    seen.close();
    reader.close();
  });

  it('formatting is ENOSPC, and the process lives', () => {
    volume.close();
    punchHole(machine.backing.fd, 0, 10 * MIB);
    const filler = fill();
    expect(() => formatMedia(deviceMedia(machine), { systemUuid: THIS_HOST })).toThrow(coded('ENOSPC'));
    fs.rmSync(filler);
    formatMedia(deviceMedia(machine), { systemUuid: THIS_HOST });
  });

  it('an append whose log page has no space is ENOSPC', () => {
    punchHole(machine.backing.fd, 2 * MIB + 4096, 7 * MIB);
    const filler = fill();
    expect(() => volume.mkdir('/d')).toThrow(coded('ENOSPC'));
    expect(volume.exists('/d')).toBe(false);
    fs.rmSync(filler);
    volume.mkdir('/d');
  });
});
