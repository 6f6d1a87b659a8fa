import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeName, encodeName, toLogPath } from '../../src/famfs/index.js';
import { NameEncoder } from '../../src/famfs/media/path.js';
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
    [undefined as unknown as string, 'EINVAL', /is text/],
    ['\u00fc'.repeat(40), 'ENAMETOOLONG', /80 bytes long/],
  ])('%j is refused', (path, code, message) => {
    expect(() => toLogPath(path)).toThrowError(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });

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
      examples: [['x'.repeat(256)], ['x'.repeat(257)], ['\udc80'], ['']],
    });
  });

  it('of valid UTF-8 are that text', () => {
    const property = fc.property(fc.string({ unit: 'grapheme' }), (name) => {
      expect(decodeName(Buffer.from(name, 'utf8'))).toBe(name);
    });
    fc.assert(property);
  });
});
