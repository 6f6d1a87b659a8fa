import { describe, expect, it } from 'vitest';
import { count, duration, hex, humanSize, octalMode, percent } from '../../src/cli/output/human.js';
import { formatPairs, formatTable, printable } from '../../src/cli/output/table.js';

describe('tables', () => {
  it('aligns text left and numbers right, without trailing blanks', () => {
    const text = formatTable(
      [{ heading: 'NAME' }, { heading: 'SIZE', right: true }, { heading: 'NOTE' }],
      [
        ['a', 1, ''],
        ['longer', 12345, 'x'],
      ],
    );
    expect(text.split('\n')).toEqual(['NAME     SIZE  NOTE', 'a           1', 'longer  12345  x']);
  });

  it('shows control characters instead of obeying them', () => {
    expect(printable('a\u001b[2Jb\n')).toBe('a\\x1b[2Jb\\x0a');
    expect(formatTable([{ heading: 'N' }], [['\u0007']])).toBe('N\n\\x07');
  });

  it('counts code points, so that names outside ASCII line up', () => {
    const lines = formatTable(
      [{ heading: 'N' }, { heading: 'X' }],
      [
        ['\u{1F600}', 'y'],
        ['ab', 'z'],
      ],
    ).split('\n');
    expect(lines[1]).toBe('\u{1F600}   y');
    expect(lines[2]).toBe('ab  z');
  });

  const columns = [{ heading: 'NAME' }, { heading: 'SIZE', right: true }, { heading: 'WHERE' }];

  it('that is too wide is a block of lines for each row, none wider than the terminal', () => {
    const where = '/a/path/of/a/mountpoint/that/does/not/fit/into/a/line';
    const rows = [
      ['dax0.0', 64, where],
      ['dax1.0', 1, '-'],
    ];
    expect(formatTable(columns, rows, 80).split('\n')).toHaveLength(3);
    expect(formatTable(columns, rows, 40).split('\n')).toEqual([
      'NAME   dax0.0',
      'SIZE   64',
      'WHERE  /a/path/of/a/mountpoint/that/does',
      '       /not/fit/into/a/line',
      '',
      'NAME   dax1.0',
      'SIZE   1',
      'WHERE  -',
    ]);
  });

  it('loses no character of a cell, and breaks lines at blanks where there are some', () => {
    const words = 'the quick brown fox jumps over the lazy dog and on it runs, far away';
    const lines = formatTable(columns, [['a', 1, words]], 30).split('\n');
    expect(lines.filter((line) => line.length > 30)).toEqual([]);
    expect(
      lines
        .slice(2)
        .map((line) => line.slice(7))
        .join(' '),
    ).toBe(words);
  });

  it('without rows is its headings, as wide as the terminal allows', () => {
    const many = Array.from({ length: 8 }, (_, index) => ({ heading: `HEADING${index}` }));
    for (const line of formatTable(many, [], 40).split('\n')) expect(line.length).toBeLessThanOrEqual(40);
  });

  it('of pairs goes on below a value that is too long, and puts it below a long name', () => {
    expect(formatPairs([['name', 'x'.repeat(50)]], '  ', 40).split('\n')).toEqual([
      `  name  ${'x'.repeat(32)}`,
      `        ${'x'.repeat(18)}`,
    ]);
    const long = formatPairs([['n'.repeat(35), 'value']], '', 40);
    expect(long).toBe(`${'n'.repeat(35)}\n  value`);
  });

  it('puts values under each other', () => {
    expect(
      formatPairs([
        ['a', 1],
        ['long', 'x'],
      ]),
    ).toBe('a     1\nlong  x');
  });
});

describe('numbers for people', () => {
  it.each([
    [0, '0 B'],
    [1, '1 B'],
    [1023, '1023 B'],
    [4096, '4 KiB'],
    [1536, '1.5 KiB'],
    [2 ** 30, '1 GiB'],
    [-(2 ** 20), '-1 MiB'],
    [102400000, '97.66 MiB'],
  ])('%d bytes are %s', (bytes, text) => {
    expect(humanSize(bytes)).toBe(text);
  });

  it('writes modes as famfs does, hex, counts, shares and times', () => {
    expect(octalMode(0o644)).toBe('0644');
    expect(octalMode(0)).toBe('00');
    expect(octalMode(0o1777)).toBe('01777');
    expect(hex(2 << 20)).toBe('0x200000');
    expect(count(1, 'file')).toBe('1 file');
    expect(count(2, 'entry', 'entries')).toBe('2 entries');
    expect(percent(1, 4)).toBe('25.0%');
    expect(percent(0, 0)).toBe('0%');
    expect(duration(12.3)).toBe('12 ms');
    expect(duration(1250)).toBe('1.25 s');
  });
});
