import { describe, expect, it } from 'vitest';
import { formatJson, formatResults, humanAddress, humanSize } from '../../../src/tree/daxctl/json.js';

describe('JSON as daxctl prints it', () => {
  it('has two spaces a level, no space after colons and escaped slashes', () => {
    expect(formatJson([{ path: '/platform/a', id: 0, devices: [{ movable: true }] }])).toBe(
      '[\n  {\n    "path":"\\/platform\\/a",\n    "id":0,\n    "devices":[\n      {\n        "movable":true\n      }\n    ]\n  }\n]',
    );
  });

  it('prints nothing for no results, and one alone without an array for people', () => {
    expect(formatResults([], false)).toBe('');
    expect(formatResults([{ id: 1 }], true)).toBe('{\n  "id":1\n}\n');
    expect(formatResults([{ id: 1 }], false)).toBe('[\n  {\n    "id":1\n  }\n]\n');
    expect(formatResults([1, 2], true)).toBe('[\n  1,\n  2\n]\n');
  });

  it('says sizes in the largest unit of which there are two', () => {
    expect(humanSize(536870912)).toBe('512.00 MiB (536.87 MB)');
    expect(humanSize(1073741824)).toBe('1024.00 MiB (1073.74 MB)');
    expect(humanSize(526385152)).toBe('502.00 MiB (526.39 MB)');
    expect(humanSize(2 ** 31)).toBe('2.00 GiB (2.15 GB)');
    expect(humanSize(0)).toBe('0');
  });

  it('says addresses in hex, zero without prefix', () => {
    expect(humanAddress(0)).toBe('0');
    expect(humanAddress(0x150000000)).toBe('0x150000000');
  });
});
