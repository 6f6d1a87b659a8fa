import { describe, expect, it } from 'vitest';
import { parseSize, sizeText } from '../../src/machine/index.js';
import { codeOf } from '../machine/support.js';

describe('parseSize', () => {
  it.each([
    ['4096', 4096],
    ['0x200000', 2 ** 21],
    ['2M', 2 ** 21],
    ['2m', 2 ** 21],
    ['1GiB', 2 ** 30],
    ['1.5GiB', 1.5 * 2 ** 30],
    [' 3 KiB ', 3072],
    ['0', 0],
    [12, 12],
  ])('reads %j as %i bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each([
    '',
    'M',
    '2MB',
    '-1',
    '1.5',
    '1..5G',
    '2 MM',
    '0xzz',
    '9999999P',
    '1e3',
    'NaN',
    -4096,
    1.5,
    Number.NaN,
  ])('refuses %j with EINVAL', (text) => {
    expect(codeOf(() => parseSize(text))).toBe('EINVAL');
  });

  it('names the value in its error', () => {
    expect(() => parseSize('2MB', 'log length')).toThrow(/log length "2MB".*2MiB/);
  });
});

describe('sizeText', () => {
  it('uses the largest unit that divides', () => {
    expect([0, 4096, 2 ** 21, 3 * 2 ** 30, 5000].map(sizeText)).toEqual([
      '0 bytes',
      '4 KiB',
      '2 MiB',
      '3 GiB',
      '5000 bytes',
    ]);
  });
});
