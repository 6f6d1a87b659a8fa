// Claims S7 to S11 and S14 of docs/security.md: the content of the memory against its readers. Entries with good checksums stand
// for a hostile writer. They are made with the product's encoder and stored without its checks.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { cp } from '../../src/cli/commands/cp.js';
import {
  deviceMedia,
  ENTRY_SIZE,
  Log,
  LogAppender,
  type NewLogEntry,
  readSuperblock,
  slotOffset,
} from '../../src/famfs/index.js';
import { type Machine, mkfs, mountFamfs, openMachine, type Volume } from '../../src/index.js';
import { recordingContext, udax } from '../cli/support/udax.js';

const MIB = 2 ** 20;
const DATA = 10 * MIB;
const SIZE = 64 * MIB;

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0).reverse()) end();
});

interface Victim {
  directory: string;
  root: string;
  memory: string;
  machine: Machine;
}

function victim(): Victim {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-security-'));
  ends.push(() => fs.rmSync(directory, { recursive: true, force: true }));
  const root = path.join(directory, 'state');
  const machine = openMachine(root, { create: true });
  ends.push(() => machine.close());
  machine.createRegion({ size: SIZE });
  machine.reconfigure('dax0.0', 'famfs');
  mkfs(machine.device('dax0.0'));
  return { directory, root, machine, memory: path.join(root, 'regions', '0.mem') };
}

const at = (offset: number, length: number) => ({
  type: 'simple' as const,
  extents: [{ devindex: 0, offset, length }],
});
const file = (name: string, fmap = at(DATA, 2 * MIB), size = 5): NewLogEntry => ({
  kind: 'file',
  path: name,
  size,
  uid: 0,
  gid: 0,
  mode: 0o644,
  fmap,
});

/** A name as bytes. */
interface Raw {
  entry: NewLogEntry;
  /** Replaces the entry's path; the checksum is made good again. */
  name?: Uint8Array;
}

/** Stores entries into the log as the writer's program would. */
function storeEntries({ machine }: Victim, raws: readonly Raw[]): void {
  const device = machine.device('dax0.0');
  const hold = device.hold('test');
  const media = deviceMedia(device);
  try {
    const log = Log.open(media, readSuperblock(media));
    const appender = new LogAppender(log);
    for (const { entry, name } of raws) {
      const start = slotOffset(appender.append(entry));
      if (name === undefined) continue;
      const bytes = log.bytes.subarray(start, start + ENTRY_SIZE);
      const path = new TextEncoder().encode(entry.kind === 'add_daxdev' ? '' : entry.path);
      const found = Buffer.from(bytes).indexOf(path);
      bytes.fill(0, found, found + path.length);
      bytes.set(name, found);
      const view = new DataView(bytes.buffer, bytes.byteOffset, ENTRY_SIZE);
      view.setBigUint64(ENTRY_SIZE - 8, BigInt(crc32(bytes.subarray(0, ENTRY_SIZE - 8))), true);
    }
  } finally {
    media.close();
    hold.release();
  }
}

function mounted({ machine }: Victim, options = {}): Volume {
  const volume = mountFamfs(machine.device('dax0.0'), options);
  ends.push(() => volume.close());
  return volume;
}

function digest(file: string, length: number): string {
  return createHash('sha256').update(fs.readFileSync(file).subarray(0, length)).digest('hex');
}

/** Every file below a directory, including those that a link leads to. */
function shownBelow(directory: string): string[] {
  return fs.readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort();
}

describe('another host', () => {
  it('S7: changes no byte of superblock and log by any call, as a client', async () => {
    const place = victim();
    const owner = mounted(place);
    owner.create('/f', { size: 4096 }).close();
    owner.close();
    const before = digest(place.memory, DATA);
    const client = mounted(place, { role: 'client', clientWrites: true });
    const refused = expect.objectContaining({ code: 'EROFS' });
    expect(() => client.mkdir('/d')).toThrow(refused);
    expect(() => client.create('/g', { size: 1 })).toThrow(refused);
    expect(() => client.clone('/f', '/g', { force: true })).toThrow(refused);
    expect(() => client.createWriteStream('/g')).toThrow(refused);
    await expect(client.copyIn(import.meta.filename, '/g')).rejects.toThrow(refused);
    await expect(client.writeFile('/g', new Uint8Array(1))).rejects.toThrow(refused);
    const opened = client.open('/f');
    opened.write(new Uint8Array(4096).fill(1), 0);
    opened.map({ writable: true })[0] = 2;
    client.flush('/f');
    client.publish();
    client.refresh();
    client.close();
    expect(digest(place.memory, DATA)).toBe(before);
  });

  it('S11: that formats the device anew ends every store of those who had it, ESTALE, before a byte', async () => {
    const place = victim();
    const volume = mounted(place);
    const opened = volume.create('/f', { size: 4096 });
    const view = opened.map({ writable: true });
    const other = victim();
    // As if a host unknown to udax did it: another superblock in the same bytes.
    const fd = fs.openSync(place.memory, 'r+');
    fs.writeSync(fd, fs.readFileSync(other.memory).subarray(0, DATA), 0, DATA, 0);
    fs.closeSync(fd);
    const before = digest(place.memory, SIZE);
    const stale = expect.objectContaining({ code: 'ESTALE' });
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(() => opened.write(new Uint8Array(4096).fill(7), 0)).toThrow(stale);
    expect(() => volume.mkdir('/d')).toThrow(stale);
    expect(view.length).toBe(0);
    expect(digest(place.memory, SIZE)).toBe(before);
  });
});

describe('a hostile log', () => {
  it('S8: extents outside the data, on other devices, or too short are never read as bytes of a file', () => {
    const place = victim();
    const secret = 'superblock and log';
    storeEntries(place, [
      { entry: file('in-the-superblock', at(0, 2 * MIB)) },
      { entry: file('in-the-log', at(2 * MIB, 2 * MIB)) },
      { entry: file('past-the-end', at(SIZE, 2 * MIB)) },
      { entry: file('far', at(2 ** 52, 2 * MIB)) },
      { entry: file('too-short', at(DATA, 2 * MIB), 3 * MIB) },
      { entry: file('huge', at(DATA, 2 * MIB), 2 ** 52) },
      { entry: file('good', at(DATA + 4 * MIB, 2 * MIB)) },
    ]);
    const volume = mounted(place);
    const names = volume.readdir('/');
    expect(names).toContain('good');
    for (const name of names) {
      const opened = volume.open(`/${name}`);
      const { extents } = volume.getmap(`/${name}`);
      for (const { devindex, offset, length } of extents) {
        expect([name, devindex, offset >= DATA, offset + length <= SIZE]).toEqual([name, 0, true, true]);
      }
      const bytes = new Uint8Array(4096);
      expect(opened.read(bytes, 0), secret).toBeLessThanOrEqual(opened.size);
    }
    expect(names).toEqual(['good']);
    expect(new Set(volume.problems.map(({ entry }) => entry))).toEqual(new Set([0, 1, 2, 3, 4, 5]));
  });

  const hostile = ['../escape', 'd/../../escape', '/escape', '..', '.', './x', 'a//b', 'd\0/x'];
  it('S9: names that lead elsewhere are not shown, and a copy of all there is stays where it was told to go', async () => {
    const place = victim();
    const directory = { kind: 'mkdir' as const, path: 'd', uid: 0, gid: 0, mode: 0o755 };
    storeEntries(place, [
      { entry: directory },
      ...hostile.map((name, i) => ({
        entry: file('x'.repeat(name.length), at(DATA + i * 2 * MIB, 2 * MIB)),
        name: new TextEncoder().encode(name),
      })),
      { entry: file('d/good', at(DATA + 20 * MIB, 2 * MIB)) },
    ]);
    const out = path.join(place.directory, 'out', 'deep');
    fs.mkdirSync(out, { recursive: true });
    const before = shownBelow(place.directory);
    await copyOut(place, out).catch(() => undefined);
    expect(shownBelow(out)).toEqual(expect.arrayContaining(['d', 'd/good']));
    const made = shownBelow(place.directory).filter(
      (name) => !before.includes(name) && !name.startsWith('state/'),
    );
    expect(made.filter((name) => !name.startsWith('out/deep/'))).toEqual([]);
  });

  it('S9: a link that lies where a copy goes is replaced, not followed; a link to a directory is not entered', async () => {
    const place = victim();
    const directory = { kind: 'mkdir' as const, path: 'd', uid: 0, gid: 0, mode: 0o755 };
    storeEntries(place, [
      { entry: directory },
      { entry: file('d/x') },
      { entry: file('f', at(DATA + 2 * MIB, 2 * MIB)) },
    ]);
    const out = path.join(place.directory, 'out');
    const precious = path.join(place.directory, 'precious');
    const elsewhere = path.join(place.directory, 'elsewhere');
    for (const made of [out, elsewhere]) fs.mkdirSync(made);
    fs.writeFileSync(precious, 'precious');
    fs.symlinkSync(precious, path.join(out, 'f'));
    fs.symlinkSync(elsewhere, path.join(out, 'd'));
    await expect(copyOut(place, out)).rejects.toThrow();
    expect(fs.readFileSync(precious, 'utf8')).toBe('precious');
    expect(fs.readdirSync(elsewhere)).toEqual([]);
    expect(fs.lstatSync(path.join(out, 'f')).isFile()).toBe(true);
    // A destination that the caller typed is used as it is.
    fs.symlinkSync(precious, path.join(out, 'typed'));
    await mounted(place).copyOut('/f', path.join(out, 'typed'));
    expect(fs.readFileSync(precious)).toHaveLength(5);
    expect(fs.lstatSync(path.join(out, 'typed')).isSymbolicLink()).toBe(true);
  });

  it('S10: its names reach no terminal as control characters', () => {
    const place = victim();
    const escapes = '\u001b]0;owned\u0007\u001b[2J\u009b31m\u202e';
    storeEntries(place, [{ entry: file('x'.repeat(40)), name: new TextEncoder().encode(escapes) }]);
    const { status, stdout, stderr } = udax(place.root, 'ls', '-l', 'dax0.0:/');
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toContain('owned');
    expect(isHarmless(stdout)).toBe(true);
    expect(isHarmless(udax(place.root, 'cat', `dax0.0:/${escapes}?`).stderr)).toBe(true);
    expect(isHarmless(udax(place.root, 'fsck', 'dax0.0').stdout)).toBe(true);
  });

  it('S14: copies lose set-id bits, unless a mode is asked for', async () => {
    const place = victim();
    storeEntries(place, [{ entry: { ...file('su'), mode: 0o6755 } as NewLogEntry }]);
    const volume = mounted(place, { readOnly: true });
    const out = path.join(place.directory, 'su');
    await volume.copyOut('/su', out);
    expect((fs.statSync(out).mode & 0o7777).toString(8)).toBe('755');
    await volume.copyOut('/su', out, { mode: 0o4755 });
    expect((fs.statSync(out).mode & 0o7777).toString(8)).toBe('4755');
  });
});

function isHarmless(text: string): boolean {
  return [...text].every((character) => {
    const code = character.codePointAt(0)!;
    return (
      character === '\n' ||
      (code >= 0x20 && code !== 0x7f && !(code >= 0x80 && code < 0xa0) && code !== 0x202e)
    );
  });
}

/** `udax cp -r dax0.0:/ out` */
async function copyOut(place: Victim, out: string): Promise<void> {
  await cp(recordingContext(place.root), ['dax0.0:/', out], { recursive: true });
}
