/** Archives whose headers lie: told with the byte, never followed out of the file, into another member, or without end. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ArchiveSource, readMembers, TarWriter, ZipWriter } from '../../src/archives/index.js';
import { openVolume, type Volume } from '../../src/index.js';
import { DaxError } from '../../src/libc/index.js';

const about = { mode: 0o644, uid: 1, gid: 2, modifiedNs: 1_700_000_000_000_000_000n } as const;

function made(
  writer: ZipWriter | TarWriter,
  names: readonly string[],
  data = Buffer.from('data of it'),
): Buffer {
  const parts: Uint8Array[] = [];
  let at = 0;
  const put = (bytes: Uint8Array) => {
    parts.push(bytes);
    at += bytes.length;
  };
  for (const name of names) {
    put(writer.begin({ ...about, name, type: 'file', size: data.length, crc32: 0x1234 }, at));
    put(data);
    put(writer.after(data.length));
  }
  put(writer.finish(at));
  return Buffer.concat(parts);
}

const read = (bytes: Uint8Array) => {
  const source: ArchiveSource = {
    name: 'x',
    size: bytes.length,
    view(offset, length) {
      expect(offset >= 0 && length >= 0 && offset + length <= bytes.length).toBe(true);
      return bytes.subarray(offset, offset + length);
    },
  };
  return readMembers(source);
};

const codeOf = (act: () => unknown) => {
  try {
    act();
    return 'nothing';
  } catch (error) {
    expect(error).toBeInstanceOf(DaxError);
    return (error as DaxError).code;
  }
};

const checksummed = (tar: Buffer, at: number): Buffer => {
  tar.fill(0x20, at + 148, at + 156);
  const sum = tar.subarray(at, at + 512).reduce((total, byte) => total + byte, 0);
  tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148);
  return tar;
};

/** Where the header of ustar of the first member is. */
const headerAt = (tar: Buffer) => tar.indexOf('data of it') - 512;

describe('a zip', () => {
  it('with two entries of one name, or two over the same bytes, is EBADMSG', () => {
    expect(codeOf(() => read(made(new ZipWriter(), ['a', 'a'])))).toBe('EBADMSG');
    const overlapping = made(new ZipWriter(), ['a', 'b']);
    const entry = overlapping.indexOf('PK\x01\x02', overlapping.lastIndexOf('data of it'));
    overlapping.writeUInt32LE(8192, entry + 20);
    overlapping.writeUInt32LE(8192, entry + 24);
    expect(codeOf(() => read(overlapping))).toBe('EBADMSG');
  });

  it('that says stored, and two sizes, is EBADMSG: a bomb unpacks to more than it has', () => {
    const bomb = made(new ZipWriter(), ['a']);
    const entry = bomb.indexOf('PK\x01\x02');
    bomb.writeUInt32LE(2 ** 31, entry + 24);
    expect(codeOf(() => read(bomb))).toBe('EBADMSG');
  });
});

describe('a tar', () => {
  it('with two members of one name has the last one, as when it is unpacked', () => {
    const members = read(made(new TarWriter(), ['a', 'b', 'a']));
    expect([...members.keys()]).toEqual(['b', 'a']);
    expect(members.get('a')!.byteOffset).toBeGreaterThan(members.get('b')!.byteOffset);
  });

  it('with a member that ends beyond it, a wrong checksum, or a size that is none, is EBADMSG', () => {
    const beyond = made(new TarWriter(), ['a']);
    beyond.write('77777777777', headerAt(beyond) + 124);
    expect(codeOf(() => read(checksummed(beyond, headerAt(beyond))))).toBe('EBADMSG');
    const wrong = made(new TarWriter(), ['a']);
    wrong[headerAt(wrong)]! ^= 1;
    expect(codeOf(() => read(wrong))).toBe('EBADMSG');
    const none = made(new TarWriter(), ['a']);
    none.write('9', headerAt(none) + 124);
    expect(codeOf(() => read(checksummed(none, headerAt(none))))).toBe('EBADMSG');
  });

  it('whose records of pax lie about their length is EBADMSG', () => {
    for (const record of ['99999 path=x\n', '0 path=x\n', '-5 path=x\n', 'x path=x\n', '11 pathxxx\n']) {
      const tar = made(new TarWriter(), ['a']);
      tar.fill(0, 512, headerAt(tar));
      tar.write(record, 512);
      expect(codeOf(() => read(tar))).toBe('EBADMSG');
    }
  });

  it('with a link to what is not before it is EBADMSG; a compressed one is named', () => {
    const tar = new TarWriter();
    const link = tar.begin({ ...about, name: 'l', type: 'hardlink', target: 'x', size: 0, crc32: 0 }, 0);
    expect(codeOf(() => read(Buffer.concat([link, tar.finish(link.length)])))).toBe('EBADMSG');
    expect(codeOf(() => read(Buffer.from([0x1f, 0x8b, 8, 0, 0])))).toBe('EINVAL');
  });
});

it('any change of any byte is refused by an errno or gives members within the archive', () => {
  let accepted = 0;
  let refused = 0;
  for (const writer of [ZipWriter, TarWriter]) {
    const whole = made(new writer(), ['a', 'dir/b', 'n'.repeat(150)]);
    const headers = Array.from({ length: whole.length }, (_, i) => i).filter(
      (i) => whole[i] !== 0 && whole[i] !== 0x20,
    );
    for (const at of headers) {
      for (const value of [0, 0xff, whole[at]! ^ 1]) {
        const bytes = Buffer.from(whole);
        bytes[at] = value;
        const code = codeOf(() => {
          for (const { byteOffset, size, type, isStored } of read(bytes).values()) {
            if (type === 'file' && isStored) expect(byteOffset + size).toBeLessThanOrEqual(bytes.length);
          }
        });
        if (code === 'nothing') accepted++;
        else refused++;
      }
    }
  }
  expect(accepted).toBeGreaterThan(100);
  expect(refused).toBeGreaterThan(100);
});

describe('an archive made by others', () => {
  let directory: string;
  let volume: Volume;
  beforeAll(() => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-archive-'));
    volume = openVolume(path.join(directory, 'pool'), { size: '64MiB' });
    fs.mkdirSync(path.join(directory, 'd'));
    fs.writeFileSync(path.join(directory, 'd/text'), 'text '.repeat(1000));
    fs.writeFileSync(path.join(directory, 'd', 'n'.repeat(140)), 'long');
  });
  afterAll(() => {
    volume.close();
    fs.rmSync(directory, { recursive: true });
  });

  const openMade = async (name: string, command: string, args: string[]) => {
    execFileSync(command, args, { cwd: directory });
    await volume.copyIn(path.join(directory, name), `/${name}`);
    return volume.open(`/${name}`);
  };

  it.each(['gnu', 'pax', 'ustar'])('tar --format=%s is read', async (format) => {
    const words = format === 'ustar' ? ['d/text'] : ['d'];
    const file = await openMade(`${format}.tar`, 'tar', [
      '-cf',
      `${format}.tar`,
      `--format=${format}`,
      ...words,
    ]);
    const view = file.member('d/text').map();
    expect(Buffer.from(view as unknown as Uint8Array).toString()).toBe('text '.repeat(1000));
    if (format !== 'ustar') expect(file.member(`d/${'n'.repeat(140)}`).size).toBe(4);
    file.close();
  });

  it('compressed members of a zip are listed, and EOPNOTSUPP to see; a crc that differs is EBADMSG', async () => {
    const program = `
import zipfile
with zipfile.ZipFile('deflated.zip', 'w', zipfile.ZIP_DEFLATED) as z: z.write('d/text')
with zipfile.ZipFile('stored.zip', 'w') as z: z.write('d/text')`;
    const file = await openMade('deflated.zip', 'python3', ['-c', program]);
    expect(file.member('d/text')).toMatchObject({ isStored: false, size: 5000 });
    expect(() => file.member('d/text').map()).toThrow(expect.objectContaining({ code: 'EOPNOTSUPP' }));
    file.close();
    await volume.copyIn(path.join(directory, 'stored.zip'), '/stored.zip');
    const stored = volume.open('/stored.zip', { writable: true });
    expect(stored.member('d/text').verify()).toBe(true);
    stored.write(Buffer.from('TEXT'), stored.member('d/text').byteOffset);
    expect(() => stored.member('d/text').verify()).toThrow(expect.objectContaining({ code: 'EBADMSG' }));
    stored.close();
  });
});

it('zip64 and sizes beyond 8 GiB are said where the numbers need it', () => {
  const size = 9 * 2 ** 30;
  const zip = new ZipWriter();
  const header = Buffer.from(zip.begin({ ...about, name: 'big', type: 'file', size, crc32: 0 }, 0));
  expect(header.length % 4096).toBe(0);
  const end = zip.finish(header.length + size);
  const whole: ArchiveSource = {
    name: 'sparse',
    size: header.length + size + end.length,
    view(offset, length) {
      const bytes = new Uint8Array(length);
      for (let i = 0; i < length; i++) {
        const at = offset + i;
        bytes[i] = at < header.length ? header[at]! : (end[at - header.length - size] ?? 0);
      }
      return bytes;
    },
  };
  expect(readMembers(whole).get('big')).toMatchObject({ size, byteOffset: header.length });
  const tar = new TarWriter();
  const begun = tar.begin({ ...about, name: 'big', type: 'file', size, crc32: 0 }, 0);
  expect(Buffer.from(begun).toString('latin1')).toContain(`size=${size}\n`);
  expect(begun.length % 4096).toBe(0);
});
