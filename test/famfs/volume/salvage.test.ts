// What went wrong: after memory of the superblock or log failed, or a region's file was cut, fsck said clean, and its advice
// ("copy the files out") could not be followed because the mount was refused. Right: fsck reports what is lost, and a mount with
// `salvage` reads what is left.
import fs from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { deviceMedia, fsckMedia } from '../../../src/famfs/index.js';
import { contentOf, HPA, type Machine, MIB, PAGE, Pool, pattern } from './support.js';

const coded = (code: string) => expect.objectContaining({ code });
const LOG = 2 * MIB;

describe('a volume that lost memory', () => {
  const pools: Pool[] = [];
  afterEach(() => {
    for (const pool of pools.splice(0)) pool.close();
  });

  /** /d with ten files: entries 0 to 7 begin in the first page of the log. */
  function filledPool(): Pool {
    const pool = new Pool();
    pools.push(pool);
    const volume = pool.mount();
    volume.mkdir('/d');
    for (let i = 0; i < 10; i++) volume.create(`/d/${i}`, { size: 5000 }).write(pattern(5000, i), 0);
    volume.close();
    return pool;
  }

  function withFailed(pool: Pool, offset: number): Machine {
    const machine = pool.machine();
    machine.bus.memoryFailure(HPA + offset, PAGE);
    return machine;
  }

  function findings(machine: Machine) {
    const { ok, errors } = fsckMedia(deviceMedia(machine));
    expect(ok).toBe(errors.length === 0);
    return errors;
  }

  it('a page of the log: not clean, what to do is said, and it can be done', () => {
    const pool = filledPool();
    const machine = withFailed(pool, LOG);
    const errors = findings(machine);
    expect(errors.map(({ code }) => code)).toEqual(
      expect.arrayContaining(['metadata-memory', 'entry-memory', 'missing-parent']),
    );
    expect(errors[0]).toMatchObject({
      hint: 'salvage',
      message: expect.stringContaining('{ salvage: true }'),
    });
    expect(() => pool.mountOn(machine)).toThrow(
      expect.objectContaining({ code: 'EIO', hint: 'salvage', path: 'dax0.0' }),
    );
    const volume = pool.mountOn(machine, { salvage: true });
    // Entry 7 lies across the end of the page.
    expect(volume.readdir('/d')).toEqual(['7', '8', '9']);
    for (const i of [7, 8, 9]) expect(contentOf(volume, `/d/${i}`)).toEqual(pattern(5000, i));
    expect(volume.problems.map(({ code }) => code)).toContain('entry-memory');
    expect(volume.isSalvage).toBe(true);
  });

  it('a page of the log that holds no entry yet: not clean either, as a mount refuses it', () => {
    const pool = filledPool();
    const machine = withFailed(pool, LOG + 4 * MIB);
    expect(findings(machine).map(({ code }) => code)).toEqual(['metadata-memory']);
    expect(pool.mountOn(machine, { salvage: true }).readdir('/d')).toHaveLength(10);
  });

  it('the superblock: the rest tells enough to read all files', () => {
    const pool = filledPool();
    const machine = withFailed(pool, 0);
    expect(findings(machine).map(({ code }) => code)).toEqual(['superblock-memory']);
    expect(() => pool.mountOn(machine)).toThrow(coded('EIO'));
    const volume = pool.mountOn(machine, { salvage: true });
    for (let i = 0; i < 10; i++) expect(contentOf(volume, `/d/${i}`)).toEqual(pattern(5000, i));
  });

  it('superblock and log header: entries are found by their numbers', () => {
    const pool = filledPool();
    const machine = withFailed(pool, 0);
    machine.bus.memoryFailure(HPA + LOG, PAGE);
    const volume = pool.mountOn(machine, { salvage: true });
    expect(volume.readdir('/d')).toEqual(['7', '8', '9']);
    expect(volume.problems.map(({ code }) => code)).toEqual(['entry-memory']);
  });

  it('a salvage mount writes nothing and is not given to others', () => {
    const pool = filledPool();
    const machine = withFailed(pool, LOG + MIB);
    const before = pool.metadata();
    const volume = pool.mountOn(machine, { salvage: true });
    expect(volume.readOnly).toBe(true);
    expect(() => volume.mkdir('/e')).toThrow(coded('EROFS'));
    expect(() => volume.open('/d/9').write(new Uint8Array(1), 0)).toThrow(coded('EROFS'));
    expect(() => pool.mountOn(machine)).toThrow(coded('EBUSY'));
    expect(volume.refresh()).toBe(0);
    expect(Buffer.compare(pool.metadata(), before)).toBe(0);
  });

  it('bad entries are passed by, and told; without salvage replay waits at the first', () => {
    const pool = filledPool();
    const fd = fs.openSync(pool.file, 'r+');
    fs.writeSync(fd, Uint8Array.of(0xff), 0, 1, LOG + 48 + 544 + 30); // in entry 1
    fs.closeSync(fd);
    expect(pool.mount().readdir('/d')).toEqual([]);
    const volume = pool.mount({ salvage: true });
    expect(volume.readdir('/d')).toHaveLength(9);
    expect(volume.problems.map(({ code }) => code)).toEqual(['entry-crc']);
  });

  it('data pages that failed: fsck names the file and how much of it is lost', () => {
    const pool = filledPool();
    const machine = withFailed(pool, 12 * MIB);
    machine.bus.memoryFailure(HPA + 40 * MIB, PAGE); // nobody's
    const errors = findings(machine);
    expect(errors.map(({ code, entry }) => [code, entry])).toEqual([['file-memory', 2]]);
    expect(errors[0]!.message).toContain("('d/1'): 4096 of its 5000 bytes are lost");
  });

  it('a copy of the head of a device is clean; a note says that data is not in it', () => {
    const pool = filledPool();
    fs.truncateSync(pool.file, 12 * MIB);
    const machine = pool.machine({ size: 64 * MIB });
    const { ok, notes } = fsckMedia(deviceMedia(machine));
    expect(ok).toBe(true);
    expect(notes.map(({ message }) => message)).toEqual([
      `the image ends at byte ${12 * MIB} of its device: 9 files are not, or not wholly, in it`,
    ]);
  });

  it('what is no famfs is not salvaged', () => {
    const pool = new Pool({ format: false });
    pools.push(pool);
    expect(() => pool.mount({ salvage: true })).toThrow(coded('EINVAL'));
  });
});

describe('copying out', () => {
  it('leaves set-id bits behind unless they are asked for; a mode of 2^31 is no crash', async () => {
    const pool = new Pool();
    try {
      const volume = pool.mount();
      volume.create('/tool', { size: 100, mode: 0o6755 }).close();
      const target = `${pool.directory}/copy`;
      const umask = process.umask(0);
      await volume.copyOut('/tool', target);
      expect(fs.statSync(target).mode & 0o7777).toBe(0o755);
      await volume.copyOut('/tool', target, { mode: 0o4711 });
      expect(fs.statSync(target).mode & 0o7777).toBe(0o4711);
      process.umask(umask);
    } finally {
      pool.close();
    }
  });
});
