import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeName, encodeName, toLogPath } from '../../src/famfs/index.js';
import { encodedLength, NameEncoder, toTreePath } from '../../src/famfs/media/path.js';
import { propertyRuns } from '../support/runs.js';

describe('paths people give', () => {
  it.each([
    ['/a/b', 'a/b'],
    ['a//b/', 'a/b'],
    ['/', ''],
    ['', ''],
    ['a.b/..c', 'a.b/..c'],
  ])('%s is logged as %s', (path, logged) => expect(toLogPath(path)).toBe(logged));

  it.each([
    ['a/../b', 'EINVAL', /'\.\.' component/],
    ['./a', 'EINVAL', /'\.' component/],
    ['a\0', 'EINVAL', /NUL/],
    ['a\ud800', 'EINVAL', /half a surrogate pair/],
    ['\udc7fa', 'EINVAL', /half a surrogate pair/],
    ['\ud800', 'EINVAL', /half a surrogate pair/],
    [undefined as unknown as string, 'EINVAL', /is text/],
    ['\u00fc'.repeat(40), 'ENAMETOOLONG', /80 bytes long/],
  ])('%j is refused', (path, code, message) => {
    expect(() => toLogPath(path)).toThrowError(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });

  it.each([
    ['/', ''],
    ['a', 'a'],
    ['/a', 'a'],
    ['a/', 'a'],
    ['//a', 'a'],
    ['a.', 'a.'],
    ['a/b..', 'a/b..'],
    ['...', '...'],
    ['/.a/..b', '.a/..b'],
    ['\u00e4/\u00df', '\u00e4/\u00df'],
    ['a\udc80', 'a\udc80'],
    ['\u{1f600}', '\u{1f600}'],
    ['x'.repeat(255), 'x'.repeat(255)],
    [`/${'y'.repeat(84)}//${'\u00fc'.repeat(127)}/`, `${'y'.repeat(84)}/${'\u00fc'.repeat(127)}`],
    [`${'abcdefg/'.repeat(511)}abcdefg`, `${'abcdefg/'.repeat(511)}abcdefg`],
  ])('%j is %j in a tree', (path, inTree) => expect(toTreePath(path)).toBe(inTree));

  it.each([
    ['x'.repeat(256), /is 256 bytes long, a name has at most 255/],
    [`a/${'\u00fc'.repeat(128)}/b`, /is 256 bytes long, a name has at most 255/],
    ['\u20ac'.repeat(86), /is 258 bytes long/],
    [`${'abcdefg/'.repeat(511)}abcdefgh`, /a path of 4096 bytes is too long, it has at most 4095/],
  ])('in a tree is refused with its path when it is too long: %#', (path, message) => {
    expect(() => toTreePath(path)).toThrowError(
      expect.objectContaining({ code: 'ENAMETOOLONG', path, message: expect.stringMatching(message) }),
    );
  });

  it.each(['a\0', 'a\ud800', 'a/..', '.', 'a/./b', '\u00fc'.repeat(40)])(
    '%j is the path of its refusal',
    (path) => {
      expect(() => toLogPath(path)).toThrowError(expect.objectContaining({ path }));
    },
  );

  it('of 79 bytes fit', () => expect(toLogPath(`/${'x'.repeat(79)}`)).toBe('x'.repeat(79)));
});

describe('names', () => {
  it('of any bytes survive the way to a string and back', () => {
    const property = fc.property(fc.uint8Array({ maxLength: 79 }), (bytes) => {
      expect(Buffer.from(encodeName(decodeName(bytes)))).toEqual(Buffer.from(bytes));
    });
    fc.assert(property, { numRuns: propertyRuns(1000) });
  });

  it('are encoded for lookups as anywhere else, one after another', () => {
    const encoder = new NameEncoder();
    const name = fc.oneof(fc.string({ maxLength: 300 }), fc.string({ unit: 'binary', maxLength: 300 }));
    const property = fc.property(name, (text) => {
      encoder.encode(text);
      expect(Buffer.from(encoder.bytes.subarray(0, encoder.length))).toEqual(Buffer.from(encodeName(text)));
    });
    fc.assert(property, {
      numRuns: propertyRuns(1000),
      examples: [['x'.repeat(256)], ['x'.repeat(257)], ['\u007f'], ['\u0080'], ['\udc80'], ['']],
    });
  });

  it('of bytes that are no UTF-8 have a character for each of these bytes, between the others', () => {
    for (const [bytes, text] of [
      ['61ff62', 'a\udcffb'],
      ['c3a4', '\u00e4'],
      ['c3', '\udcc3'],
      ['e282ac80', '\u20ac\udc80'],
      ['e28261', '\udce2\udc82a'],
      ['f09f988041', '\u{1f600}A'],
      ['f09f9880ff', '\u{1f600}\udcff'],
      ['e282acff', '\u20ac\udcff'],
      ['f09f98', '\udcf0\udc9f\udc98'],
      ['c080', '\udcc0\udc80'],
      ['eda080', '\udced\udca0\udc80'],
      ['efbfbd', '\ufffd'],
      ['efbfbdff', '\ufffd\udcff'],
      ['', ''],
    ] as const) {
      const name = Buffer.from(bytes, 'hex');
      expect(decodeName(name)).toBe(text);
      expect(Buffer.from(encodeName(text))).toEqual(name);
      expect(encodedLength(text)).toBe(name.length);
    }
  });

  it('of valid UTF-8 are that text', () => {
    const property = fc.property(fc.string({ unit: 'grapheme' }), (name) => {
      expect(decodeName(Buffer.from(name, 'utf8'))).toBe(name);
    });
    fc.assert(property);
  });
});
