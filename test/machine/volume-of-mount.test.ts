import fs from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { systemUuid } from '../../src/famfs/index.js';
import { mkfs, mountFamfs } from '../../src/index.js';

const MIB = 2 ** 20;
const LOG = { offset: 2 * MIB, length: 8 * MIB };
let directory = '';
afterEach(() => {
  fs.rmSync(directory, { recursive: true, force: true });
});

/**
 * A directory that looks as a zero-copy mount does: superblock, log and files are files, each with its own bytes. Here they are copies of
 * the device's bytes on tmpfs; on a real mount they are the device's.
 */
function mountLookalike(): string {
  directory = fs.mkdtempSync('/dev/shm/udax-of-mount-');
  const image = path.join(directory, 'image');
  fs.writeFileSync(image, '');
  fs.truncateSync(image, 64 * MIB);
  mkfs(image, { systemUuid: systemUuid(path.join(directory, 'other')) });
  const at = path.join(directory, 'mnt');
  fs.mkdirSync(path.join(at, '.meta'), { recursive: true });
  const bytes = fs.readFileSync(image);
  const uuid = systemUuid(path.join(directory, 'other'));
  expect(uuid).not.toBe('');
  fs.rmSync(image);
  writeFiles(at, bytes);
  return at;
}

function writeFiles(at: string, device: Buffer): void {
  fs.writeFileSync(path.join(at, '.meta', '.superblock'), device.subarray(0, LOG.offset));
  fs.writeFileSync(path.join(at, '.meta', '.log'), device.subarray(LOG.offset, LOG.offset + LOG.length));
}

describe('a volume on a directory where the kernel maps files to the device', () => {
  it('is opened by the path of the directory, as a client, and its views are mappings of the files', () => {
    directory = fs.mkdtempSync('/dev/shm/udax-of-mount-');
    const image = path.join(directory, 'image');
    fs.writeFileSync(image, '');
    fs.truncateSync(image, 64 * MIB);
    mkfs(image);
    const master = mountFamfs(image);
    const content = Buffer.from('seen through the file '.repeat(1000));
    const fill = (into: Uint8Array, position: number) =>
      into.set(content.subarray(position, position + into.length));
    master.mkdir('/d');
    master.create('/d/a', { size: content.length, fill, mode: 0o644 });
    master.create('/s', { size: 8 * MIB, stripe: { nstrips: 2, chunkSize: 2 * MIB, nbuckets: 2 } });
    master.close();
    const at = path.join(directory, 'mnt');
    fs.mkdirSync(path.join(at, '.meta'), { recursive: true });
    fs.mkdirSync(path.join(at, 'd'));
    writeFiles(at, fs.readFileSync(image));
    fs.rmSync(image);
    fs.writeFileSync(path.join(at, 'd', 'a'), content);
    fs.truncateSync(path.join(at, 'd', 'a'), 2 * MIB);
    const chunks = Buffer.concat([1, 2, 3, 4].map((value) => Buffer.alloc(2 * MIB, value)));
    fs.writeFileSync(path.join(at, 's'), chunks);

    const volume = mountFamfs(at, { clientWrites: true });
    try {
      const file = volume.open('/d/a', { writable: true });
      const view = file.map({ writable: true });
      expect(Buffer.from(view).equals(content)).toBe(true);
      view[0] = 0x53;
      expect(fs.readFileSync(path.join(at, 'd', 'a'), { encoding: 'latin1' }).slice(0, 4)).toBe('Seen');
      const striped = volume.open('/s').map();
      expect([0, 2, 4, 6].map((mib) => striped[mib * MIB + 17])).toEqual([1, 2, 3, 4]);
      expect(() => volume.create('/new', { size: 1 })).toThrow(expect.objectContaining({ code: 'EROFS' }));
    } finally {
      volume.close();
    }
    expect(
      fs
        .readdirSync('/proc/self/fd')
        .map(linkOf)
        .filter((link) => link.startsWith(directory)),
    ).toEqual([]);
  });

  it('is never the master: the server of the mount is', () => {
    const at = mountLookalike();
    expect(() => mountFamfs(at, { role: 'master' })).toThrow(
      expect.objectContaining({ code: 'EPERM', message: expect.stringContaining('make files there') }),
    );
  });

  it('that is no such mount is EISDIR, as before', () => {
    directory = fs.mkdtempSync('/dev/shm/udax-of-mount-');
    expect(() => mountFamfs(directory)).toThrow(expect.objectContaining({ code: 'EISDIR' }));
  });
});

function linkOf(fd: string): string {
  try {
    return fs.readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return ''; // the descriptor of the listing itself
  }
}
