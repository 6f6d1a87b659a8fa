import { describe, expect, it } from 'vitest';
import {
  deviceArgument,
  parseAddress,
  volumeAddress,
  volumeOrDeviceAddress,
} from '../../src/cli/arguments/address.js';
import { idArgument, integerArgument, modeArgument, seedArgument } from '../../src/cli/arguments/numbers.js';
import { ownershipOf, stripeOf } from '../../src/cli/arguments/ownership.js';
import { positiveSizeArgument, sizeArgument } from '../../src/cli/arguments/size.js';
import { UsageError } from '../../src/cli/errors.js';

describe('sizes on the command line', () => {
  it.each([
    ['4096', 4096],
    ['0', 0],
    ['2M', 2 << 20],
    ['2m', 2 << 20],
    ['1GiB', 2 ** 30],
    ['1g', 2 ** 30],
    ['512K', 512 << 10],
    ['1T', 2 ** 40],
    ['1.5GiB', 1.5 * 2 ** 30],
    ['0x200000', 0x200000],
  ])('reads %s as %d bytes', (text, bytes) => {
    expect(sizeArgument(text, '-s SIZE')).toBe(bytes);
  });

  it.each([
    '',
    'x',
    '-1',
    '12q',
    '1e9',
    '1.0001K',
    '2 M x',
    '0x',
    '99999999999999999999',
    '1GB',
    'M',
    '4096,',
  ])('refuses "%s" and names the argument', (text) => {
    expect(() => sizeArgument(text, '-s SIZE')).toThrow(UsageError);
    expect(() => sizeArgument(text, '-s SIZE')).toThrow('-s SIZE');
  });

  it('refuses 0 where nothing of that size can exist', () => {
    expect(() => positiveSizeArgument('0', '-s SIZE')).toThrow('at least 1 byte');
  });
});

describe('addresses', () => {
  it.each([
    ['dax0.0:/x', 'dax0.0', '/x'],
    ['pool.img:/x/y', 'pool.img', '/x/y'],
    ['/dev/dax0.0:/x', '/dev/dax0.0', '/x'],
    ['./pool.img:/', './pool.img', '/'],
    ['dax0.0:', 'dax0.0', '/'],
    ['dax0.0:/a:b', 'dax0.0', '/a:b'],
    ['dax0.0:/a:/b', 'dax0.0', '/a:/b'],
  ])('%s is on a volume', (text, device, path) => {
    expect(parseAddress(text)).toEqual({ kind: 'volume', device, path, text });
  });

  it.each(['/etc/hosts', './a:b', 'a:b', 'a', '../x', '.', '/'])('%s is local', (text) => {
    expect(parseAddress(text)).toEqual({ kind: 'local', path: text, text });
  });

  it.each(['', ':/x', 'dax0.0:x', '/dev/dax1.0:data'])('"%s" is a mistake', (text) => {
    expect(() => parseAddress(text)).toThrow(UsageError);
  });

  it('says how to spell a path that is not absolute', () => {
    expect(() => parseAddress('dax0.0:x')).toThrow('dax0.0:/x');
  });

  it('a FILE must be on a volume', () => {
    expect(() => volumeAddress('/etc/hosts')).toThrow(UsageError);
    expect(volumeAddress('dax0.0:/x').path).toBe('/x');
  });

  it('a DEVICE alone is its root directory where a directory is wanted', () => {
    expect(volumeOrDeviceAddress('pool.img')).toMatchObject({ device: 'pool.img', path: '/' });
  });

  it('a DEVICE may be written with a bare colon, but not with a file', () => {
    expect(deviceArgument('dax0.0')).toBe('dax0.0');
    expect(deviceArgument('dax0.0:/')).toBe('dax0.0');
    expect(deviceArgument('dir/pool.img')).toBe('dir/pool.img');
    expect(() => deviceArgument('dax0.0:/x')).toThrow(UsageError);
  });
});

describe('numbers, modes and owners', () => {
  it('reads whole numbers in decimal and hex, within their range', () => {
    expect(integerArgument('16', '-N', 1, 16)).toBe(16);
    expect(integerArgument('0x10', '-N', 1, 16)).toBe(16);
    for (const bad of ['17', '0', '1.5', '', '-1', '1e3', ' 1']) {
      expect(() => integerArgument(bad, '-N', 1, 16)).toThrow('-N');
    }
  });

  it('reads modes in octal only', () => {
    expect(modeArgument('644')).toBe(0o644);
    expect(modeArgument('0755')).toBe(0o755);
    expect(modeArgument('0o1777')).toBe(0o1777);
    for (const bad of ['', '8', '0999', '77777', 'rwx', '-1'])
      expect(() => modeArgument(bad)).toThrow(UsageError);
  });

  it('reads 32-bit ids, and seeds that are not 0', () => {
    expect(idArgument('4294967295', '-u UID')).toBe(4294967295);
    expect(() => idArgument('4294967296', '-u UID')).toThrow('-u UID');
    expect(seedArgument('42')).toBe(42);
    expect(() => seedArgument('0')).toThrow(UsageError);
  });

  it('owners default to the caller, the mode to the command', () => {
    expect(ownershipOf({})).toEqual({ uid: process.getuid!(), gid: process.getgid!() });
    expect(ownershipOf({ mode: '600', uid: '7', gid: '8' })).toEqual({ mode: 0o600, uid: 7, gid: 8 });
  });

  it('interleaving is asked for by -N and -B, in chunks of 2 MiB unless -C says otherwise', () => {
    expect(stripeOf({})).toEqual({});
    expect(stripeOf({ nstrips: '6', nbuckets: '8' })).toEqual({
      stripe: { nstrips: 6, nbuckets: 8, chunkSize: 2 << 20 },
    });
    expect(stripeOf({ nstrips: '2', nbuckets: '2', chunksize: '4M' }).stripe?.chunkSize).toBe(4 << 20);
    expect(() => stripeOf({ nstrips: '6' })).toThrow('-B');
    expect(() => stripeOf({ nstrips: '9', nbuckets: '8' })).toThrow(UsageError);
    expect(() => stripeOf({ nstrips: '17', nbuckets: '20' })).toThrow('-N');
    expect(() => stripeOf({ nstrips: '1', nbuckets: '65' })).toThrow('-B');
  });
});
