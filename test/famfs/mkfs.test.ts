import { describe, expect, it } from 'vitest';
import {
  bufferMedia,
  formatMedia,
  fsckMedia,
  Log,
  LogAppender,
  mediaState,
  readSuperblock,
} from '../../src/famfs/index.js';
import { kitBytes } from '../support/conformance.js';
import { goldenMedia } from './golden.js';
import { blankMedia, GIB, HOST, MIB, mkdirEntry, OTHER_HOST } from './volume-maker.js';

const refusal = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

describe('mkfs', () => {
  it('makes a volume that is clean, empty and owned by this host', () => {
    const media = blankMedia(GIB);
    const superblock = formatMedia(media, { systemUuid: HOST })!;
    expect(superblock).toEqual(readSuperblock(media));
    expect(superblock).toMatchObject({ systemUuid: HOST, deviceSize: GIB, deviceName: 'test', flags: 0 });
    const report = fsckMedia(media, { systemUuid: HOST });
    expect([report.ok, report.files, report.directories]).toEqual([true, 0, 0]);
    expect(report.superblock?.role).toBe('master');
  });

  it('draws new uuids each time', () => {
    const make = () => formatMedia(blankMedia(GIB), { systemUuid: HOST })!;
    const [one, two] = [make(), make()];
    expect(new Set([one.uuid, two.uuid, one.deviceUuid, two.deviceUuid]).size).toBe(4);
  });

  it('accepts devices from 16 MiB up', () => {
    expect(formatMedia(blankMedia(16 * MIB), { systemUuid: HOST })?.deviceSize).toBe(16 * MIB);
    const tooSmall = blankMedia(16 * MIB - 1);
    expect(() => formatMedia(tooSmall, { systemUuid: HOST })).toThrowError(
      refusal('EINVAL', /at least 16777216/),
    );
  });

  it.each([0, 4 * MIB, 9 * MIB, 8 * MIB + 1, Number.NaN])('refuses a log of %s bytes', (logLength) => {
    const media = blankMedia(GIB);
    const act = () => formatMedia(media, { systemUuid: HOST, logLength });
    expect(act).toThrowError(refusal('EINVAL', /power of two and at least 8388608/));
    expect(mediaState(media)).toBe('none');
  });

  it('refuses a log that leaves no room for files, and writes nothing (C dies of SIGBUS)', () => {
    const media = blankMedia(64 * MIB);
    const act = () => formatMedia(media, { systemUuid: HOST, logLength: 64 * MIB });
    expect(act).toThrowError(refusal('EINVAL', /no room for files/));
    expect(media.bytes(0, 4096).every((byte) => byte === 0)).toBe(true);
  });

  it('refuses an existing file system unless forced', () => {
    const media = blankMedia(GIB);
    formatMedia(media, { systemUuid: HOST });
    expect(() => formatMedia(media, { systemUuid: HOST })).toThrowError(
      refusal('EEXIST', /already has a famfs/),
    );
    formatMedia(media, { systemUuid: HOST, force: true });
    expect(fsckMedia(media).ok).toBe(true);
  });

  it('refuses a file system of another host unless forced', () => {
    const media = blankMedia(GIB);
    formatMedia(media, { systemUuid: OTHER_HOST });
    expect(() => formatMedia(media, { systemUuid: HOST })).toThrowError(
      refusal('EPERM', /owned by another host/),
    );
    expect(readSuperblock(media).systemUuid).toBe(OTHER_HOST);
    formatMedia(media, { systemUuid: HOST, force: true });
    expect(readSuperblock(media).systemUuid).toBe(HOST);
  });

  it.each([
    ['another version', 8, /of another version/],
    ['a damaged superblock', 96, /damaged famfs superblock/],
    ['a bad allocation unit', 33, /damaged famfs superblock/],
  ])('does not overwrite %s without force', (_, byte, message) => {
    const media = blankMedia(GIB);
    formatMedia(media, { systemUuid: HOST });
    media.bytes(byte, 1)[0]! ^= 1;
    const before = media.bytes(0, 200).slice();
    expect(() => formatMedia(media, { systemUuid: HOST })).toThrowError(refusal('EEXIST', message));
    expect(media.bytes(0, 200)).toEqual(before);
  });

  it('overwrites what has no famfs magic', () => {
    const media = blankMedia(GIB);
    media.bytes(0, 4096).fill(0xaa);
    formatMedia(media, { systemUuid: HOST });
    expect(fsckMedia(media).ok).toBe(true);
  });

  it('leaves nothing of what was there before in superblock area and log', () => {
    const media = blankMedia(GIB);
    const clean = blankMedia(GIB);
    media.bytes(0, 10 * MIB).fill(0xaa);
    const uuids = { fileSystem: HOST, device: OTHER_HOST };
    for (const target of [media, clean]) formatMedia(target, { systemUuid: HOST, uuids });
    expect(Buffer.from(media.bytes(0, 10 * MIB)).equals(clean.bytes(0, 10 * MIB))).toBe(true);
  });

  it('keeps 64 bytes of a long device name, without a NUL', () => {
    const superblock = formatMedia(blankMedia(GIB), { systemUuid: HOST, deviceName: 'n'.repeat(70) })!;
    expect(superblock.deviceName).toBe('n'.repeat(64));
  });
});

describe('mkfs kill', () => {
  it('needs force, and changes nothing without it', () => {
    const media = blankMedia(GIB);
    formatMedia(media, { systemUuid: HOST });
    const act = () => formatMedia(media, { systemUuid: HOST, kill: true });
    expect(act).toThrowError(refusal('EINVAL', /give \{ force: true \}/));
    expect(mediaState(media)).toBe('valid');
  });

  it('with force removes the magic and nothing else, whoever owns it', () => {
    const media = blankMedia(GIB);
    formatMedia(media, { systemUuid: OTHER_HOST });
    const before = media.bytes(0, 200).slice();
    expect(formatMedia(media, { systemUuid: HOST, kill: true, force: true })).toBe(null);
    expect(mediaState(media)).toBe('none');
    expect(media.bytes(8, 192)).toEqual(before.subarray(8));
    expect(formatMedia(media, { systemUuid: HOST })?.systemUuid).toBe(HOST);
  });

  it('leaves the bytes C leaves', () => {
    const killed = kitBytes('famfs', 'killed_sb.bin');
    const media = blankMedia(4 * GIB);
    media.bytes(0, killed.length).set(killed);
    media.bytes(0, 4).set([0xff, 0x82, 0xb2, 0x87]);
    expect(mediaState(media)).toBe('valid');
    formatMedia(media, { systemUuid: HOST, kill: true, force: true });
    expect(Buffer.from(media.bytes(0, killed.length)).equals(killed)).toBe(true);
  });
});

describe('the superblock of another medium', () => {
  it('is refused with the reason', () => {
    const blank = blankMedia(GIB);
    expect(() => readSuperblock(blank)).toThrowError(refusal('EINVAL', /not a famfs.*mkfs\(\) makes it/));
    const tiny = bufferMedia(new Uint8Array(100), { name: 'tiny' });
    expect(() => readSuperblock(tiny)).toThrowError(refusal('EINVAL', /shorter/));
  });

  it('that claims a larger device than there is, is refused', () => {
    const media = blankMedia(GIB);
    formatMedia(media, { systemUuid: HOST });
    const view = new DataView(media.bytes(0, 200).buffer);
    view.setBigUint64(112, BigInt(2 * GIB), true);
    expect(() => readSuperblock(media)).toThrowError(
      refusal('EBADMSG', /device size at byte 112 is 2147483648/),
    );
  });

  it('with a number beyond 2^53 is refused, naming field and byte', () => {
    const media = blankMedia(GIB);
    formatMedia(media, { systemUuid: HOST });
    const view = new DataView(media.bytes(0, 200).buffer);
    view.setBigUint64(112, 2n ** 53n, true);
    expect(() => readSuperblock(media)).toThrowError(refusal('EBADMSG', /superblock.deviceSize at byte 112/));
  });

  it('of a foreign owner can be read', () => {
    const media = blankMedia(GIB);
    formatMedia(media, { systemUuid: OTHER_HOST });
    expect(fsckMedia(media, { systemUuid: HOST }).superblock?.role).toBe('client');
  });
});

describe('the log of a volume', () => {
  it('is refused for writing when its indices disagree', () => {
    const media = goldenMedia('02-small-tree');
    const log = Log.open(media, readSuperblock(media));
    media.bytes(log.offset + 32, 1)[0] = 25;
    const act = () => new LogAppender(log).append(mkdirEntry('x'));
    expect(act).toThrowError(
      refusal('EBADMSG', /next_seqnum 25 at byte 2097184.*next_index 19 at byte 2097192/),
    );
  });

  it('full, is ENOSPC before anything is written', () => {
    const media = blankMedia(GIB);
    formatMedia(media, { systemUuid: HOST });
    const log = Log.open(media, readSuperblock(media));
    const words = new Uint32Array(log.bytes.buffer, log.bytes.byteOffset, 12);
    words[8] = words[10] = 15420;
    const before = log.bytes.slice(0, 4096);
    expect(() => new LogAppender(log).append(mkdirEntry('x'))).toThrowError(
      refusal('ENOSPC', /log full, 15420 of 15420/),
    );
    expect(log.bytes.slice(0, 4096)).toEqual(before);
  });

  it.each([
    ['a path of 80 bytes', { path: 'p'.repeat(80) }, 'ENAMETOOLONG', /80 bytes long.*at most 79/],
    ['an empty path', { path: '' }, 'EINVAL', /not empty/],
    ['an absolute path', { path: '/x' }, 'EINVAL', /relative/],
    ['a path with NUL', { path: 'a\0b' }, 'EINVAL', /NUL/],
    ['a uid that is no number', { uid: -1 }, 'EINVAL', /uid -1/],
  ])('refuses %s and keeps its bytes', (_, change, code, message) => {
    const media = blankMedia(GIB);
    formatMedia(media, { systemUuid: HOST });
    const log = Log.open(media, readSuperblock(media));
    const act = () => new LogAppender(log).append({ ...mkdirEntry('x'), ...change });
    expect(act).toThrowError(refusal(code, message));
    expect([log.nextIndex(), log.nextSeqnum(), log.bytes[48 + 28]]).toEqual([0, 0, 0]);
  });

  it('takes a path of 79 bytes', () => {
    const media = blankMedia(GIB);
    formatMedia(media, { systemUuid: HOST });
    const log = Log.open(media, readSuperblock(media));
    new LogAppender(log).append(mkdirEntry('p'.repeat(79)));
    expect(log.entry(0)).toMatchObject({ kind: 'mkdir', path: 'p'.repeat(79) });
  });
});
