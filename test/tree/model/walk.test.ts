import { describe, expect, it } from 'vitest';
import { directory, link } from '../../../src/tree/model/node.js';
import { relativeTarget, walk } from '../../../src/tree/model/walk.js';

const file = { type: 'file', mode: 0o444, show: () => 'text\n', store: undefined } as const;
const root = directory(() => [
  [
    'a',
    directory(() => [
      ['real', directory(() => [['leaf', file]])],
      ['loop', link('loop')],
    ]),
  ],
  [
    'b',
    directory(() => [
      ['short', link('../a/real')],
      ['absolute', link('/a/real')],
      ['broken', link('nowhere')],
    ]),
  ],
]);

describe('walking an attribute tree', () => {
  it('follows links on the way and tells the path without them', () => {
    expect(walk(root, 'b/short/leaf', false)).toEqual({ node: file, physical: 'a/real/leaf' });
    expect(walk(root, '/b/absolute/leaf', false).physical).toBe('a/real/leaf');
  });

  it('follows the last link only when asked, or when a slash asks for a directory', () => {
    expect(walk(root, 'b/short', false).node.type).toBe('link');
    expect(walk(root, 'b/short', true).physical).toBe('a/real');
    expect(walk(root, 'b/short/', false).physical).toBe('a/real');
  });

  it('takes dots as usual, also behind a link and above the root', () => {
    expect(walk(root, './b/short/../real/leaf', false).physical).toBe('a/real/leaf');
    expect(walk(root, '../../a', false).physical).toBe('a');
    expect(walk(root, '', false).node).toBe(root);
  });

  it('says ENOENT, ENOTDIR and ELOOP', () => {
    expect(() => walk(root, 'a/none', false)).toThrowError(expect.objectContaining({ code: 'ENOENT' }));
    expect(() => walk(root, 'b/broken', true)).toThrowError(expect.objectContaining({ code: 'ENOENT' }));
    expect(() => walk(root, 'a/real/leaf/x', false)).toThrowError(
      expect.objectContaining({ code: 'ENOTDIR' }),
    );
    expect(() => walk(root, 'a/loop', true)).toThrowError(expect.objectContaining({ code: 'ELOOP' }));
  });

  it('makes link targets relative to the directory of the link', () => {
    expect(relativeTarget('dev/char', 'devices/udax/region0/dax0.0')).toBe(
      '../../devices/udax/region0/dax0.0',
    );
    expect(relativeTarget('', 'bus')).toBe('bus');
  });
});
