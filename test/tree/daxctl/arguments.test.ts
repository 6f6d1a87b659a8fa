import { describe, expect, it } from 'vitest';
import { parseArguments, parseSize } from '../../../src/tree/daxctl/arguments.js';

const table = {
  r: { long: 'region', value: true, key: 'region' },
  D: { long: 'devices', key: 'devices' },
  R: { long: 'regions', key: 'regions' },
} as const;

describe("daxctl's command line", () => {
  it('takes clustered short options and values in all four spellings', () => {
    for (const words of [['-DRr', '1'], ['-DRr1'], ['-DR', '--region=1'], ['-D', '-R', '--region', '1']]) {
      const parsed = parseArguments(words, table);
      expect([...(parsed?.flags ?? [])]).toEqual(['devices', 'regions']);
      expect(parsed?.values.get('region')).toBe('1');
    }
  });

  it('keeps operands, and everything after -- is one', () => {
    expect(parseArguments(['dax0.0', '-D', '--', '-R'], table)?.operands).toEqual(['dax0.0', '-R']);
  });

  it('refuses unknown options, missing values and values nobody asked for', () => {
    for (const words of [['-x'], ['--none'], ['-r'], ['--region'], ['--devices=1']]) {
      expect(parseArguments(words, table)).toBeNull();
    }
  });

  it('reads sizes with binary units, hex and octal', () => {
    expect(parseSize('256M')).toBe(268435456);
    expect(parseSize('1GiB')).toBe(1073741824);
    expect(parseSize('0x200000')).toBe(2097152);
    expect(parseSize('010')).toBe(8);
    for (const text of ['', 'M', '-1', '1.5G', '9999999999T']) expect(parseSize(text)).toBeNull();
  });
});
